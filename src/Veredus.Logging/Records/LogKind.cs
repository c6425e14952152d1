namespace Veredus.Logging;

/// <summary>The logs of a node.</summary>
public enum LogKind
{
    Main,
    Bounce,
    Reject,
    Account,
    Import,
    Panic,

    /// <summary>A stage of a <c>custom_logger</c>.</summary>
    Custom,
}

public static class LogKinds
{
    /// <summary>The classic name of the log, e.g. <c>mainlog</c>; its file is <c>mainlog.ec</c>.</summary>
    public static string Name(this LogKind kind) => kind switch
    {
        LogKind.Main => "mainlog",
        LogKind.Bounce => "bouncelog",
        LogKind.Reject => "rejectlog",
        LogKind.Account => "acctlog",
        LogKind.Import => "importlog",
        LogKind.Panic => "paniclog",
        LogKind.Custom => "custom_logger",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    internal static ReadOnlySpan<byte> JsonName(this LogKind kind) => kind switch
    {
        LogKind.Main => "main"u8,
        LogKind.Bounce => "bounce"u8,
        LogKind.Reject => "reject"u8,
        LogKind.Account => "acct"u8,
        LogKind.Import => "import"u8,
        _ => "panic"u8,
    };
}
