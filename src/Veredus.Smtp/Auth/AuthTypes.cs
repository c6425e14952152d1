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

/// <summary>What a server stores for SCRAM-SHA-256 (RFC 5802 §3, RFC 7677).</summary>
/// <param name="Iterations">At least 4096.</param>
/// <param name="StoredKey">H(ClientKey), 32 octets.</param>
/// <param name="ServerKey">32 octets.</param>
public sealed record ScramSecret(ReadOnlyMemory<byte> Salt, int Iterations, ReadOnlyMemory<byte> StoredKey, ReadOnlyMemory<byte> ServerKey)
{
    public override string ToString() => $"SCRAM-SHA-256, {Iterations} iterations";
}
