namespace Veredus.Logging;

/// <summary>Where the lines of one log go: a file, the system's log, a journal. Used by one caller at a time.</summary>
public interface ILogTarget : IDisposable
{
    /// <summary>Named in errors, e.g. the file's path.</summary>
    string Name { get; }

    /// <summary>Takes whole lines, each with its LF. Either all of them or, with an exception, none.</summary>
    /// <exception cref="IOException">They were not taken; the caller keeps them and tries again.</exception>
    void Write(ReadOnlySpan<byte> lines);

    /// <summary>What the operator should be told since the last call; asked after each <see cref="Write"/>.</summary>
    string? TakeNotice() => null;

    /// <summary>Closes and opens again, for rotation. If that fails the old one stays in use.</summary>
    /// <exception cref="IOException">It could not be opened.</exception>
    void Reopen();
}
