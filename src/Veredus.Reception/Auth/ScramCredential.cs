using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Veredus.Reception.Auth;

/// <summary>What a server keeps of a password for SCRAM-SHA-256 (RFC 5802 §3, RFC 7677): enough to check a client, too little to be one.</summary>
/// <remarks>Text form, as in other servers: <c>SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY</c>, base64.</remarks>
public sealed class ScramCredential
{
    /// <summary>Prefix of the text form.</summary>
    public const string Prefix = "SCRAM-SHA-256$";

    /// <summary>Iterations of new credentials (RFC 7677 §4 asks for at least 4096).</summary>
    public const int DefaultIterations = 16_384;

    private const int KeyBytes = 32;

    private ScramCredential(int iterations, byte[] salt, byte[] storedKey, byte[] serverKey)
    {
        (Iterations, Salt, StoredKey, ServerKey) = (iterations, salt, storedKey, serverKey);
    }

    public int Iterations { get; }

    internal byte[] Salt { get; }

    internal byte[] StoredKey { get; }

    internal byte[] ServerKey { get; }

    /// <summary>Derives the credential of a password.</summary>
    /// <param name="password">The password (normalised with NFKC, the part of SASLprep that changes anything for usual passwords).</param>
    /// <param name="salt">At least 8 random octets.</param>
    /// <param name="iterations">4096 or more.</param>
    public static ScramCredential Derive(string password, byte[] salt, int iterations = DefaultIterations)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(iterations, 4096);
        var salted = Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(password.Normalize(NormalizationForm.FormKC)), salt, iterations, HashAlgorithmName.SHA256, KeyBytes);
        var clientKey = HMACSHA256.HashData(salted, "Client Key"u8);
        return new(iterations, salt, SHA256.HashData(clientKey), HMACSHA256.HashData(salted, "Server Key"u8));
    }

    /// <summary>Whether this is the credential of the password: for PLAIN against a SCRAM store. Takes the same time whatever differs.</summary>
    public bool Matches(string password) =>
        CryptographicOperations.FixedTimeEquals(Derive(password, Salt, Iterations).StoredKey, StoredKey);

    /// <summary>
    /// The credential of a user that does not exist: its salt is always the same for a name, so that asking twice tells nothing (RFC 5802 §9).
    /// </summary>
    /// <param name="user">The name asked for.</param>
    /// <param name="secret">Random octets of this process.</param>
    public static ScramCredential Nobody(string user, ReadOnlySpan<byte> secret)
    {
        var salt = HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes(user));
        return new(DefaultIterations, salt[..16], RandomNumberGenerator.GetBytes(KeyBytes), RandomNumberGenerator.GetBytes(KeyBytes));
    }

    /// <summary>Reads the text form.</summary>
    public static bool TryParse(string text, out ScramCredential credential, out string error)
    {
        error = $"expected {Prefix}ITERATIONS:SALT$STOREDKEY:SERVERKEY, the last three in base64 (veredus-passwd writes it)";
        credential = new(0, [], [], []);
        var parts = text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) ? text[Prefix.Length..].Split('$', ':') : [];
        var (salt, storedKey, serverKey) = (new byte[256], new byte[KeyBytes + 2], new byte[KeyBytes + 2]);
        if (parts.Length != 4 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var iterations) || iterations is < 4096 or > 10_000_000
            || !Convert.TryFromBase64String(parts[1], salt, out var saltBytes) || saltBytes < 8
            || !Convert.TryFromBase64String(parts[2], storedKey, out var storedBytes) || storedBytes != KeyBytes
            || !Convert.TryFromBase64String(parts[3], serverKey, out var serverBytes) || serverBytes != KeyBytes)
        {
            return false;
        }

        credential = new(iterations, salt[..saltBytes], storedKey[..KeyBytes], serverKey[..KeyBytes]);
        error = "";
        return true;
    }

    public override string ToString() =>
        $"{Prefix}{Iterations}:{Convert.ToBase64String(Salt)}${Convert.ToBase64String(StoredKey)}:{Convert.ToBase64String(ServerKey)}";
}
