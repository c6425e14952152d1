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
    /// <summary><c>diff --exit-code</c>: there are differences.</summary>
    public const int Different = 12;
}

/// <summary>eccfg could not do it; printed as <c>ERROR: message</c>.</summary>
public class EccfgException : Exception
{
    public EccfgException(int exitCode, string message) : base(message) => ExitCode = exitCode;
    public EccfgException(string message) : this(EccfgExit.Failed, message) { }
    public EccfgException(string message, Exception innerException) : base(message, innerException) => ExitCode = EccfgExit.Failed;
    public EccfgException() => ExitCode = EccfgExit.Failed;

    public int ExitCode { get; }
}

/// <summary>A server shows another key than the pinned one, or its certificate has expired: trying again does not help.</summary>
public sealed class UntrustedServerException(string message) : EccfgException(EccfgExit.Unreachable, message);

/// <summary>A server can't for the moment: it elects, or catches up.</summary>
public sealed class TryAgainException(string message) : EccfgException(EccfgExit.Unreachable, message);
