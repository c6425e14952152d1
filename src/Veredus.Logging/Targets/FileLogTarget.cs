using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Veredus.Logging;

/// <summary>A plain file, opened with O_APPEND, so that a rotation by copy and truncation is harmless too.</summary>
public sealed partial class FileLogTarget : ILogTarget
{
    private const int OpenFlags = 0x1 | 0x40 | 0x400 | 0x80000;  // O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC

    private readonly UnixFileMode _mode;
    private SafeFileHandle _file;
    private bool _hasLength;

    /// <param name="path">Created when missing; its directory is not.</param>
    /// <param name="mode">Permissions of a file that is created here, whatever the umask.</param>
    /// <exception cref="IOException">It could not be opened; the message names the path and the reason.</exception>
    public FileLogTarget(string path, UnixFileMode mode)
    {
        (Name, _mode) = (path, mode);
        _file = Open();
    }

    public string Name { get; }

    public void Write(ReadOnlySpan<byte> lines)
    {
        var before = _hasLength ? RandomAccess.GetLength(_file) : -1;
        try
        {
            RandomAccess.Write(_file, lines, Math.Max(before, 0));  // O_APPEND decides the place, not the offset
        }
        catch (IOException)
        {
            // A full disk takes some octets before it refuses: take them back, so that the second try repeats nothing.
            if (before >= 0)
                RandomAccess.SetLength(_file, before);
            throw;
        }
    }

    public void Reopen()
    {
        var old = _file;
        _file = Open();
        old.Dispose();
    }

    public void Dispose() => _file.Dispose();

    // /dev/stdout may be a pipe, which has no length to go back to.
    private static bool HasLength(SafeFileHandle file)
    {
        try
        {
            return RandomAccess.GetLength(file) >= 0;
        }
        catch (NotSupportedException)
        {
            return false;
        }
    }

    private SafeFileHandle Open()
    {
        var created = !File.Exists(Name);
        var file = OpenNative(Name, OpenFlags, (uint)_mode);
        if (file.IsInvalid)
            throw new IOException($"cannot open '{Name}' for appending: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
        if (created)
            File.SetUnixFileMode(file, _mode);
        _hasLength = HasLength(file);
        return file;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle OpenNative(string path, int flags, uint mode);
}
