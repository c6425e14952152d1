using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace Veredus.Cluster;

/// <summary>
/// Lets one machine join: where to ask, the SHA-256 of the certificate that must answer there, and a secret that is good once and until a time.
/// Whoever has it before it is used can become a member: hand it over like a password.
/// </summary>
public sealed class JoinToken
{
    private const string Prefix = "vj1-";
    private const int SecretBytes = 16, HashBytes = SHA256.HashSizeInBytes, ChecksumBytes = 4;
    /// <summary>expires i64 Unix s · port u16 · fingerprint · secret · address (4 or 16) · first bytes of the SHA-256 of all before.</summary>
    private const int FixedBytes = 8 + 2 + HashBytes + SecretBytes;

    private readonly byte[] _fingerprint, _secret;

    private JoinToken(IPEndPoint server, DateTimeOffset expires, byte[] fingerprint, byte[] secret) =>
        (Server, Expires, _fingerprint, _secret) = (server, expires, fingerprint, secret);

    public IPEndPoint Server { get; }

    /// <summary>To the second.</summary>
    public DateTimeOffset Expires { get; }

    /// <summary>SHA-256 of the server's certificate.</summary>
    public ReadOnlySpan<byte> Fingerprint => _fingerprint;

    internal string Secret => Convert.ToHexStringLower(_secret);

    /// <param name="certificateHash">SHA-256 of the certificate that the server shows.</param>
    public static JoinToken Create(IPEndPoint server, DateTimeOffset expires, byte[] certificateHash) =>
        new(server, DateTimeOffset.FromUnixTimeSeconds(expires.ToUnixTimeSeconds()), certificateHash, RandomNumberGenerator.GetBytes(SecretBytes));

    /// <summary>Whether this is the token's secret; takes as long for a wrong one.</summary>
    internal bool Matches(string secret) => CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(secret), Encoding.ASCII.GetBytes(Secret));

    /// <summary>The token as it is typed.</summary>
    public override string ToString()
    {
        var address = Server.Address.GetAddressBytes();
        var bytes = new byte[FixedBytes + address.Length + ChecksumBytes];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, Expires.ToUnixTimeSeconds());
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(8), (ushort)Server.Port);
        _fingerprint.CopyTo(bytes, 10);
        _secret.CopyTo(bytes, 10 + HashBytes);
        address.CopyTo(bytes, FixedBytes);
        SHA256.HashData(bytes.AsSpan(0, FixedBytes + address.Length)).AsSpan(0, ChecksumBytes).CopyTo(bytes.AsSpan(FixedBytes + address.Length));
        return Prefix + Base64Url.EncodeToString(bytes);
    }

    /// <summary>Reads what was typed; <see langword="false"/> with why for anything that is no token.</summary>
    public static bool TryParse(string text, out JoinToken token, out string error)
    {
        (token, error) = (null!, "");
        text = text.Trim();
        var bytes = new byte[128];
        if (!text.StartsWith(Prefix, StringComparison.Ordinal) || text.Length > 160)
        {
            error = $"this is no join token: one begins with '{Prefix}'; 'veredus node token create' prints it";
            return false;
        }
        if (Base64Url.DecodeFromChars(text.AsSpan(Prefix.Length), bytes, out _, out var length) != OperationStatus.Done || length - FixedBytes - ChecksumBytes is not (4 or 16)
            || !SHA256.HashData(bytes.AsSpan(0, length - ChecksumBytes)).AsSpan(0, ChecksumBytes).SequenceEqual(bytes.AsSpan(length - ChecksumBytes, ChecksumBytes)))
        {
            error = "the join token is damaged or incomplete; copy the whole line again";
            return false;
        }
        var seconds = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        if (seconds is < 0 or > 253_402_300_799)
        {
            error = "the join token has no time that can be";
            return false;
        }
        token = new(new(new IPAddress(bytes.AsSpan(FixedBytes, length - FixedBytes - ChecksumBytes)), BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(8))),
            DateTimeOffset.FromUnixTimeSeconds(seconds), bytes[10..(10 + HashBytes)], bytes[(10 + HashBytes)..FixedBytes]);
        return true;
    }
}
