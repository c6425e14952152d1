namespace Veredus.ConfigServer;

/// <summary>Exit codes of eccfg (configuration server specification, section 6).</summary>
public static class EccfgExit
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int Usage = 2;
    public const int NotAllowed = 4;
    public const int Unreachable = 5;
    public const int Pending = 6;
    public const int Conflict = 7;
    public const int NotConfirmed = 8;
}

/// <summary>eccfg could not do it; printed as <c>ERROR: message</c>.</summary>
public sealed class EccfgException : Exception
{
    public EccfgException(int exitCode, string message) : base(message) => ExitCode = exitCode;
    public EccfgException(string message) : this(EccfgExit.Failed, message) { }
    public EccfgException(string message, Exception innerException) : base(message, innerException) => ExitCode = EccfgExit.Failed;
    public EccfgException() => ExitCode = EccfgExit.Failed;

    public int ExitCode { get; }
}
