using System.Net;

namespace Veredus.Logging;

/// <summary>Outcome of an authentication or authorization; the numbers are those of the acctlog.</summary>
public enum AccountResult
{
    Error = -1,
    Refused = 0,
    Allowed = 1,
}

/// <summary>acctlog <c>N</c> (authentication) and <c>T</c> (its timeout).</summary>
public readonly record struct AuthenticationRecord : ILogRecord, IFieldRecord
{
    /// <summary>Unix seconds.</summary>
    public required long Time { get; init; }
    /// <summary>The client did not answer in time (<c>T</c>); <see cref="Result"/> is then refused.</summary>
    public bool IsTimeout { get; init; }
    /// <summary>The listener as configured: <c>*:2025</c>, a socket path.</summary>
    public required string Endpoint { get; init; }
    /// <summary><see langword="null"/> for a Unix socket.</summary>
    public IPEndPoint? Peer { get; init; }
    public required string User { get; init; }
    public required AccountResult Result { get; init; }

    public void FormatLine(LineBuffer buffer) => FieldRecord.FormatLine(this, buffer);

    public void FormatJson(LineBuffer buffer) => FieldRecord.FormatJson(this, "acct"u8, buffer);

    void IFieldRecord.Fields<TWriter>(ref TWriter writer)
    {
        writer.Field("time"u8, Time);
        writer.Field("type"u8, IsTimeout ? "T" : "N");
        writer.Field("endpoint"u8, Endpoint);
        writer.Field("peer"u8, Peer);
        writer.Field("user"u8, User);
        writer.Field("result"u8, (int)Result);
    }
}

/// <summary>acctlog <c>Z</c>: one console command was allowed or refused.</summary>
public readonly record struct AuthorizationRecord : ILogRecord, IFieldRecord
{
    /// <summary>Unix seconds.</summary>
    public required long Time { get; init; }
    /// <summary>The listener as configured: <c>*:2025</c>, a socket path.</summary>
    public required string Endpoint { get; init; }
    /// <summary><see langword="null"/> for a Unix socket.</summary>
    public IPEndPoint? Peer { get; init; }
    public required string User { get; init; }
    public required AccountResult Result { get; init; }
    /// <summary>The whole command line, secrets masked.</summary>
    public required string Command { get; init; }
    /// <summary>The role that matched; with <see cref="AccountResult.Error"/> the reason; <see langword="null"/> (no field) when refused.</summary>
    public string? Role { get; init; }

    public void FormatLine(LineBuffer buffer) => FieldRecord.FormatLine(this, buffer);

    public void FormatJson(LineBuffer buffer) => FieldRecord.FormatJson(this, "acct"u8, buffer);

    void IFieldRecord.Fields<TWriter>(ref TWriter writer)
    {
        writer.Field("time"u8, Time);
        writer.Field("type"u8, "Z");
        writer.Field("endpoint"u8, Endpoint);
        writer.Field("peer"u8, Peer);
        writer.Field("user"u8, User);
        writer.Field("result"u8, (int)Result);
        writer.Field("command"u8, Command);
        if (Role is not null)
            writer.Field("role"u8, Role);
    }
}
