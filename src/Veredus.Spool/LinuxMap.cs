using System.IO.MemoryMappedFiles;

namespace Veredus.Spool;

/// <summary>A file in memory that the system writes to the disk when it likes.</summary>
internal sealed unsafe class LinuxMap : IDiskMap
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly int _bytes;
    private byte* _octets;

    public LinuxMap(string path, int bytes)
    {
        _bytes = bytes;
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, bytes, MemoryMappedFileAccess.ReadWrite);
        _view = _file.CreateViewAccessor(0, bytes, MemoryMappedFileAccess.ReadWrite);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _octets);
    }

    public Span<byte> Octets => _octets is null ? throw new ObjectDisposedException(nameof(LinuxMap)) : new(_octets, _bytes);

    public void Dispose()
    {
        if (_octets is null)
            return;
        _octets = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }
}
