namespace Veredus.Node;

/// <summary>Exit codes of the node, after sysexits.h.</summary>
public enum ExitCode
{
    Normal = 0,

    /// <summary>Bad usage.</summary>
    Usage = 64,

    /// <summary>The operating system refused something.</summary>
    OperatingSystem = 71,

    /// <summary>The spool cannot be opened or locked.</summary>
    Spool = 73,

    /// <summary>Privileges are missing.</summary>
    Privileges = 77,

    /// <summary>Configuration error.</summary>
    Configuration = 78,
}

/// <summary>The node cannot start; the message says what, with what, and what to do.</summary>
public sealed class StartupException(ExitCode exitCode, string message, Exception? inner = null) : Exception(message, inner)
{
    public ExitCode ExitCode { get; } = exitCode;
}
