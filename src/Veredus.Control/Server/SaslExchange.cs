using System.Security.Cryptography;
using System.Text;
using Veredus.Reception.Auth;

namespace Veredus.Control;

/// <summary>The server's side of one AUTH command: SCRAM-SHA-256 (RFC 7677) or PLAIN (RFC 4616), base64 both ways.</summary>
internal sealed class SaslExchange(ControlListenerOptions options, string mechanism)
{
    private static readonly byte[] NobodySecret = RandomNumberGenerator.GetBytes(32);

    private readonly ScramServer _scram = new(user => options.Scram!(user) ?? ScramCredential.Nobody(user, NobodySecret), RandomNumberGenerator.GetBytes(18));
    private int _step;
    private bool _proved;

    /// <summary>Who the client says it is.</summary>
    public string User { get; private set; } = "";

    /// <summary>The client has proved who it is.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Takes one response of the client.</summary>
    /// <returns>The next challenge; <see langword="null"/> when the exchange is over, well or not.</returns>
    public string? Take(string response)
    {
        if (response == "*" || !TryDecode(response, out var text))
            return null;
        if (mechanism == "PLAIN")
        {
            IsDone = CheckPlain(text);
            return null;
        }
        if (_proved)
        {
            IsDone = text.Length == 0;  // the client's empty answer to the server's own proof
            return null;
        }
        var step = _step++ == 0 ? _scram.First(text) : _scram.Final(text);
        User = _scram.User;
        _proved = step.IsDone;
        return step.Message is null ? null : Convert.ToBase64String(Encoding.UTF8.GetBytes(step.Message));
    }

    private bool CheckPlain(string text)
    {
        var parts = text.Split('\0');
        if (parts.Length != 3 || parts[1].Length == 0 || (parts[0].Length > 0 && parts[0] != parts[1]))
            return false;
        User = parts[1];
        if (options.Plain is not null)
            return (options.Plain(User) ?? StoredPassword.Nobody).Matches(parts[2]);
        return options.Scram is not null && (options.Scram(User) ?? ScramCredential.Nobody(User, NobodySecret)).Matches(parts[2]);
    }

    private static bool TryDecode(string base64, out string text)
    {
        var bytes = new byte[base64.Length];
        var ok = Convert.TryFromBase64String(base64, bytes, out var count);
        text = ok ? Encoding.UTF8.GetString(bytes, 0, count) : "";
        return ok;
    }
}
