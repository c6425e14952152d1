namespace Veredus.Spool;

/// <summary>The file operations that a spool needs; in the tests a disk that tears, fails and forgets. All calls block.</summary>
/// <remarks>Failures come as <see cref="DiskException"/>.</remarks>
public interface IDisk
{
    /// <summary>Makes a directory and its parents; nothing happens if it exists.</summary>
    void CreateDirectory(string path);

    /// <summary>Names of the files in a directory, without subdirectories, in no order; empty if there is no such directory.</summary>
    IReadOnlyList<string> List(string directory);

    /// <summary>Names of the directories in a directory; empty if there is no such directory.</summary>
    IReadOnlyList<string> ListDirectories(string directory);

    bool Exists(string path);

    /// <summary>A new, empty file for reading and writing; fails if the name is taken.</summary>
    IDiskFile Create(string path);

    IDiskFile Open(string path, bool writable);

    void Delete(string path);

    /// <summary>Renames, replacing what has the new name.</summary>
    void Move(string from, string to);

    /// <summary>Makes names created, moved and deleted in <paramref name="directory"/> durable.</summary>
    void SyncDirectory(string directory);

    DiskSpace GetSpace(string path);

    /// <summary>Takes the exclusive lock of a file, made if it does not exist; held until disposed, given free by the system when the process ends.</summary>
    /// <returns><see langword="null"/> if another holder has it.</returns>
    IDiskLock? TryLock(string path);

    /// <summary>Maps a file of this size into memory, made of zeros and with all its room taken if it is not there. What is stored there outlives the process, without a call to the system; a power cut may lose it.</summary>
    /// <returns><see langword="null"/>: this disk has no such thing.</returns>
    IDiskMap? Map(string path, int bytes) => null;
}

/// <summary>A file in memory.</summary>
public interface IDiskMap : IDisposable
{
    /// <summary>Gone once disposed.</summary>
    Span<byte> Octets { get; }
}

/// <summary>A lock file that is held.</summary>
public interface IDiskLock : IDisposable
{
    /// <summary>The text in the file.</summary>
    string ReadText();

    /// <summary>Replaces the text in place, durably.</summary>
    void WriteText(string text);
}

/// <summary>An open file. Reads and writes of different places may run at once.</summary>
public interface IDiskFile : IDisposable
{
    long Length { get; }

    /// <summary>Reads until <paramref name="destination"/> is full or the file ends; returns the octets read.</summary>
    int Read(Span<byte> destination, long offset);

    /// <summary>Writes everything or throws; after a throw any part may have been written.</summary>
    void Write(ReadOnlySpan<byte> source, long offset);

    /// <inheritdoc cref="Write(ReadOnlySpan{byte}, long)"/>
    void Write(IReadOnlyList<ReadOnlyMemory<byte>> sources, long offset);

    /// <summary>fdatasync: what was written before is durable on return. After a throw nothing may be assumed about it, not even after another call that succeeds.</summary>
    void Sync();
}

/// <param name="TotalBytes">Size of the file system.</param>
/// <param name="FreeBytes">Available to this user.</param>
public readonly record struct DiskSpace(long TotalBytes, long FreeBytes);

public enum DiskError
{
    /// <summary>ENOSPC, EDQUOT: may pass.</summary>
    NoSpace,

    /// <summary>Anything else.</summary>
    Failed,
}

/// <summary>A file operation failed.</summary>
public sealed class DiskException(DiskError error, string message, Exception? inner = null) : IOException(message, inner)
{
    public DiskError Error { get; } = error;
}
