namespace Veredus.ConfigServer;

/// <summary>git did not do it; the message carries what it said.</summary>
public sealed class GitException : Exception
{
    public GitException(string command, int exitCode, string errors)
        : base($"git {command} failed ({exitCode}): {errors.Trim()}") => (ExitCode, Errors) = (exitCode, errors);

    public GitException(string message) : base(message) => Errors = message;
    public GitException(string message, Exception innerException) : base(message, innerException) => Errors = message;
    public GitException() => Errors = "";

    public int ExitCode { get; }

    /// <summary>What git wrote to its standard error.</summary>
    public string Errors { get; }
}
