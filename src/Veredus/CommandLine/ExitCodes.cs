namespace Veredus.CommandLine;

/// <summary>Exit codes of the tool (cli.md 4.4).</summary>
internal static class ExitCodes
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int Usage = 2;
    public const int NotFound = 3;
    public const int NotAllowed = 4;
    public const int Unreachable = 5;
    public const int Partly = 6;
    public const int Conflict = 7;
    public const int NotConfirmed = 8;
    public const int Deadline = 9;
    public const int Warning = 10;
    public const int Error = 11;
    public const int Expectation = 20;
    public const int Interrupted = 130;

    /// <summary>The code of an answer of the control socket.</summary>
    public static int Of(int controlCode) => controlCode switch
    {
        0 => Done,
        400 => Usage,
        401 or 403 => NotAllowed,
        404 => NotFound,
        409 => Conflict,
        504 => Partly,
        _ => Failed,
    };

    /// <summary>The short set of the console's links: 0 ok, 1 failed, 2 can't connect, 3 not authorized.</summary>
    public static int ForConsole(int exitCode) => exitCode switch
    {
        Done => 0,
        Unreachable => 2,
        NotAllowed => 3,
        _ => 1,
    };
}

/// <summary>A command could not be done: what went wrong, with what, and what to do next.</summary>
/// <param name="exitCode">One of <see cref="ExitCodes"/>.</param>
/// <param name="message">What went wrong and what it was about.</param>
/// <param name="hint">What to do next; empty when there is nothing to say.</param>
internal sealed class CliException(int exitCode, string message, string hint = "") : Exception(message)
{
    public int ExitCode { get; } = exitCode;

    public string Hint { get; } = hint;
}
