namespace Veredus.Smtp;

/// <summary>SASL mechanisms of SMTP AUTH (RFC 4954).</summary>
[Flags]
public enum AuthMechanisms : byte { None = 0, Plain = 1, Login = 2, ScramSha256 = 4 }

public enum AuthResult : byte
{
    /// <summary>Wrong user, password or proof: 535.</summary>
    Fail,
    Pass,
    /// <summary>The store can't answer now: 454.</summary>
    Error,
}

/// <summary>What PLAIN (RFC 4616) or LOGIN gave. Never log it: <see cref="ToString"/> leaves the password out.</summary>
/// <param name="AuthorizationId">PLAIN's authzid; "" when the user acts as himself.</param>
public sealed record PasswordCredentials(AuthMechanisms Mechanism, string AuthorizationId, string User, string Password)
{
    public override string ToString() => $"{Mechanism} {User}";
}

/// <summary>One SASL exchange that the handler conducts (SCRAM); the session does base64 and the line protocol.</summary>
public interface ISaslExchange
{
    /// <summary>The user that the client named so far; "" before.</summary>
    string User { get; }

    /// <summary>Takes the client's next message (decoded) and gives the server's.</summary>
    ValueTask<SaslStep> NextAsync(string message, CancellationToken cancellationToken);
}

/// <summary>What comes next in a SASL exchange.</summary>
/// <param name="Message">Text for the client; with a passing result it is sent as a last challenge, which the client answers with an empty line.</param>
/// <param name="Result"><see langword="null"/>: go on.</param>
public readonly record struct SaslStep(string? Message, AuthResult? Result);
