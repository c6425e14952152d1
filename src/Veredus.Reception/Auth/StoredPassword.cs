using System.Security.Cryptography;
using System.Text;

namespace Veredus.Reception.Auth;

/// <summary>
/// The password part of a <c>file://</c> entry: clear text, or <c>{PBKDF2}ITERATIONS$SALT$HASH</c> (PBKDF2 with HMAC-SHA-256, salt and
/// hash in base64). Comparisons take the same time whatever differs.
/// </summary>
public sealed class StoredPassword
{
    /// <summary>Prefix of a hashed entry.</summary>
    public const string Pbkdf2Prefix = "{PBKDF2}";

    /// <summary>Iterations of new hashes.</summary>
    public const int DefaultIterations = 210_000;

    private const int MaxIterations = 10_000_000;
    private const int HashBytes = 32;

    private readonly byte[] _salt;
    private readonly byte[] _expected;
    private readonly int _iterations;

    private StoredPassword(int iterations, byte[] salt, byte[] expected)
    {
        (_iterations, _salt, _expected) = (iterations, salt, expected);
    }

    /// <summary>Stands for a user that does not exist, so that the answer takes as long as for one that does.</summary>
    public static StoredPassword Nobody { get; } = new(DefaultIterations, new byte[16], new byte[HashBytes]);

    /// <summary>The password in clear; <see langword="null"/> when only a hash is stored.</summary>
    public string? ClearText { get; private init; }

    /// <summary>Reads an entry.</summary>
    /// <param name="text">What stands behind the user name.</param>
    /// <param name="password">The entry.</param>
    /// <param name="error">What is wrong and what would be accepted; never the password itself.</param>
    public static bool TryParse(string text, out StoredPassword password, out string error)
    {
        (password, error) = (Nobody, "");
        if (!text.StartsWith('{'))
        {
            password = new(0, [], Encoding.UTF8.GetBytes(text)) { ClearText = text };
            return true;
        }

        if (!text.StartsWith(Pbkdf2Prefix, StringComparison.OrdinalIgnoreCase))
        {
            var scheme = text.IndexOf('}', StringComparison.Ordinal) is > 0 and < 20 and var end ? text[..(end + 1)] : "{";
            error = $"the scheme {scheme} is not supported; use {Pbkdf2Prefix} (veredus-passwd writes it) or the password in clear";
            return false;
        }

        var parts = text[Pbkdf2Prefix.Length..].Split('$');
        var salt = new byte[256];
        var hash = new byte[HashBytes + 2];
        if (parts.Length != 3 || !int.TryParse(parts[0], System.Globalization.NumberStyles.None, null, out var iterations) || iterations is < 1 or > MaxIterations
            || !Convert.TryFromBase64String(parts[1], salt, out var saltBytes) || saltBytes < 8
            || !Convert.TryFromBase64String(parts[2], hash, out var hashBytes) || hashBytes != HashBytes)
        {
            error = $"expected {Pbkdf2Prefix}ITERATIONS$SALT$HASH with 1 to {MaxIterations} iterations, a salt of at least 8 octets and a hash of {HashBytes}, both in base64";
            return false;
        }

        password = new(iterations, salt[..saltBytes], hash[..hashBytes]);
        return true;
    }

    /// <summary>Makes an entry for a new password.</summary>
    /// <param name="password">The password; UTF-8 is what is hashed.</param>
    /// <param name="salt">At least 8 random octets.</param>
    /// <param name="iterations">1 or more.</param>
    public static string Hash(string password, ReadOnlySpan<byte> salt, int iterations = DefaultIterations) =>
        $"{Pbkdf2Prefix}{iterations}${Convert.ToBase64String(salt)}${Convert.ToBase64String(Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(password), salt, iterations, HashAlgorithmName.SHA256, HashBytes))}";

    /// <summary>Whether the client sent this password.</summary>
    public bool Matches(string password)
    {
        var given = Encoding.UTF8.GetBytes(password);
        if (ClearText is null)
            return CryptographicOperations.FixedTimeEquals(Rfc2898DeriveBytes.Pbkdf2(given, _salt, _iterations, HashAlgorithmName.SHA256, HashBytes), _expected);
        // Hashes are compared, for unequal lengths would end a comparison of the passwords at once.
        Span<byte> left = stackalloc byte[32];
        Span<byte> right = stackalloc byte[32];
        SHA256.HashData(given, left);
        SHA256.HashData(_expected, right);
        return CryptographicOperations.FixedTimeEquals(left, right);
    }
}
