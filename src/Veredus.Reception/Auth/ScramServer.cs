using System.Security.Cryptography;
using System.Text;

namespace Veredus.Reception.Auth;

/// <summary>What the server says next in a SCRAM exchange.</summary>
/// <param name="Message">Text for the client (before base64); <see langword="null"/> when the exchange failed.</param>
/// <param name="IsDone">The client has proved itself; <paramref name="Message"/> carries the server's own proof.</param>
public readonly record struct ScramStep(string? Message, bool IsDone)
{
    public static readonly ScramStep Failed = new(null, false);
}

/// <summary>The server's side of one SCRAM-SHA-256 exchange (RFC 5802 §5), without channel binding. Two calls: <see cref="First"/>, <see cref="Final"/>.</summary>
/// <param name="find">Gives the credential of a user; for one that does not exist <see cref="ScramCredential.Nobody"/>.</param>
/// <param name="nonce">At least 18 fresh random octets.</param>
public sealed class ScramServer(Func<string, ScramCredential> find, ReadOnlyMemory<byte> nonce)
{
    private const int MaxMessage = 2048;
    private ScramCredential? _credential;
    private string _clientFirstBare = "";
    private string _serverFirst = "";
    private string _gs2Header = "";
    private string _nonce = "";

    /// <summary>The user that the client names; proved only when <see cref="Final"/> is done.</summary>
    public string User { get; private set; } = "";

    /// <summary>Takes <c>client-first-message</c>.</summary>
    public ScramStep First(string message)
    {
        // gs2-header: "n" = no channel binding, "y" = the client could but thinks we can't (true); "p=..." asks for what is not offered.
        if (message.Length > MaxMessage || _credential is not null || !(message.StartsWith("n,", StringComparison.Ordinal) || message.StartsWith("y,", StringComparison.Ordinal)))
            return ScramStep.Failed;
        var bareStart = message.IndexOf(',', 2) + 1;
        if (bareStart == 0)
            return ScramStep.Failed;
        var authorization = message[2..(bareStart - 1)];
        _gs2Header = message[..bareStart];
        _clientFirstBare = message[bareStart..];
        var parts = _clientFirstBare.Split(',');
        if (parts.Length < 2 || !parts[0].StartsWith("n=", StringComparison.Ordinal) || !parts[1].StartsWith("r=", StringComparison.Ordinal) || parts[1].Length < 10
            || parts[1].AsSpan(2).ContainsAnyExceptInRange('!', '~') || !TryUnescape(parts[0][2..], out var user) || user.Length == 0)
        {
            return ScramStep.Failed;
        }

        if (authorization.Length > 0 && (!authorization.StartsWith("a=", StringComparison.Ordinal) || !TryUnescape(authorization[2..], out var as_) || as_ != user))
            return ScramStep.Failed;
        User = user;
        _credential = find(user);
        _nonce = parts[1][2..] + Convert.ToBase64String(nonce.Span);
        _serverFirst = $"r={_nonce},s={Convert.ToBase64String(_credential.Salt)},i={_credential.Iterations}";
        return new(_serverFirst, false);
    }

    /// <summary>Takes <c>client-final-message</c>.</summary>
    public ScramStep Final(string message)
    {
        if (_credential is not { } credential || message.Length > MaxMessage)
            return ScramStep.Failed;
        var proofAt = message.LastIndexOf(",p=", StringComparison.Ordinal);
        if (proofAt < 0)
            return ScramStep.Failed;
        var withoutProof = message[..proofAt];
        var parts = withoutProof.Split(',');
        var proof = new byte[34];
        if (parts.Length < 2 || parts[0] != "c=" + Convert.ToBase64String(Encoding.UTF8.GetBytes(_gs2Header)) || parts[1] != "r=" + _nonce
            || !Convert.TryFromBase64String(message[(proofAt + 3)..], proof, out var proofBytes) || proofBytes != 32)
        {
            return ScramStep.Failed;
        }

        var authMessage = Encoding.UTF8.GetBytes($"{_clientFirstBare},{_serverFirst},{withoutProof}");
        var signature = HMACSHA256.HashData(credential.StoredKey, authMessage);
        for (var i = 0; i < signature.Length; i++)
            signature[i] ^= proof[i];
        // ClientKey = ClientProof XOR ClientSignature; its hash must be the stored key.
        if (!CryptographicOperations.FixedTimeEquals(SHA256.HashData(signature), credential.StoredKey))
            return ScramStep.Failed;
        return new("v=" + Convert.ToBase64String(HMACSHA256.HashData(credential.ServerKey, authMessage)), true);
    }

    /// <summary>saslname: "=2C" is a comma, "=3D" an equals sign, any other "=" an error (RFC 5802 §5.1).</summary>
    private static bool TryUnescape(string text, out string user)
    {
        user = text.Replace("=2C", ",", StringComparison.Ordinal).Replace("=3D", "\u0001", StringComparison.Ordinal);
        if (user.Contains('=', StringComparison.Ordinal) || text.Contains('\u0001', StringComparison.Ordinal))
            return false;
        user = user.Replace('\u0001', '=');
        return true;
    }
}
