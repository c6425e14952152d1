using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Veredus.Control;

/// <summary>The client's side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677), without channel binding.</summary>
/// <param name="nonce">Fresh random octets.</param>
internal sealed class ScramClient(string user, string password, ReadOnlySpan<byte> nonce)
{
    private const int MinIterations = 4096;
    private const int MaxIterations = 10_000_000;

    private readonly string _nonce = Convert.ToBase64String(nonce);
    private string _serverSignature = "";

    public string First => $"n,,{Bare}";

    private string Bare => $"n={user.Replace("=", "=3D", StringComparison.Ordinal).Replace(",", "=2C", StringComparison.Ordinal)},r={_nonce}";

    /// <summary>Takes <c>server-first-message</c>; <see langword="null"/> when it is not one that a real server sends.</summary>
    public string? Final(string serverFirst)
    {
        var parts = serverFirst.Split(',');
        var salt = new byte[256];
        if (parts.Length < 3 || !parts[0].StartsWith("r=" + _nonce, StringComparison.Ordinal) || parts[0].Length <= 2 + _nonce.Length
            || !parts[1].StartsWith("s=", StringComparison.Ordinal) || !Convert.TryFromBase64String(parts[1][2..], salt, out var saltBytes)
            || !parts[2].StartsWith("i=", StringComparison.Ordinal)
            || !int.TryParse(parts[2].AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out var iterations)
            || iterations is < MinIterations or > MaxIterations)
        {
            return null;
        }
        var salted = Rfc2898DeriveBytes.Pbkdf2(
            Encoding.UTF8.GetBytes(password.Normalize(NormalizationForm.FormKC)), salt.AsSpan(0, saltBytes), iterations, HashAlgorithmName.SHA256, 32);
        var clientKey = HMACSHA256.HashData(salted, "Client Key"u8);
        var withoutProof = $"c=biws,{parts[0]}";  // biws: "n,," in base64
        var authMessage = Encoding.UTF8.GetBytes($"{Bare},{serverFirst},{withoutProof}");
        var signature = HMACSHA256.HashData(SHA256.HashData(clientKey), authMessage);
        for (var index = 0; index < clientKey.Length; index++)
            clientKey[index] ^= signature[index];
        _serverSignature = Convert.ToBase64String(HMACSHA256.HashData(HMACSHA256.HashData(salted, "Server Key"u8), authMessage));
        return $"{withoutProof},p={Convert.ToBase64String(clientKey)}";
    }

    /// <summary>Whether the server knows the password's credential too.</summary>
    public bool IsServerProved(string serverFinal) => _serverSignature.Length > 0
        && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(serverFinal), Encoding.UTF8.GetBytes("v=" + _serverSignature));
}
