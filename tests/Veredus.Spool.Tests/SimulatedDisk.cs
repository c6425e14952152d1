using System.Collections.Concurrent;
using System.Text;

namespace Veredus.Spool.Tests;

/// <summary>
/// A disk in memory that behaves as badly as a real one may: what was not synced is lost, kept or torn at a crash, in any order, in pieces of
/// 512 octets; names are durable only once their directory is synced; any operation can be made to fail.
/// </summary>
internal sealed class SimulatedDisk(Random random) : IDisk
{
    private const int Sector = 512;

    private ConcurrentDictionary<string, SimulatedFile> _names = [];
    private readonly ConcurrentDictionary<string, SimulatedFile> _durableNames = [];
    private readonly HashSet<string> _directories = [];
    private readonly HashSet<string> _locks = [];
    private readonly Dictionary<string, byte[]> _maps = [];
    private int _generation;

    /// <summary>Operations that change something, since the begin.</summary>
    public int Operations { get; private set; }

    /// <summary>Asked before each such operation; an exception makes it fail, after an arbitrary part of a write was done.</summary>
    public Func<string, DiskException?>? Fail { get; set; }

    /// <summary>The disk does nothing any more after this many operations: the moment of the crash.</summary>
    public int CrashAt { get; set; } = int.MaxValue;

    public bool Crashed => Operations >= CrashAt;

    /// <summary>Places that cannot be read.</summary>
    public Func<string, long, bool>? BadSector { get; set; }

    public DiskSpace Space { get; set; } = new(1L << 40, 1L << 39);

    /// <summary>What is left after a power cut: durable content, and of the rest whatever chance leaves.</summary>
    public void Crash()
    {
        _generation++;
        _locks.Clear();
        _maps.Clear();
        CrashAt = int.MaxValue;
        Fail = null;
        foreach (var name in _names.Keys.Union(_durableNames.Keys).ToArray())
        {
            if (_names.GetValueOrDefault(name) != _durableNames.GetValueOrDefault(name) && random.Next(2) == 0)
                Put(_durableNames, name, _names.GetValueOrDefault(name));
        }
        _names = new(_durableNames);
        foreach (var file in _names.Values.Distinct())
            file.Crash(random);
    }

    /// <summary>What a killed process leaves: all that it wrote.</summary>
    public void Kill()
    {
        _generation++;
        _locks.Clear();
        CrashAt = int.MaxValue;
        Fail = null;
    }

    public SimulatedFile this[string path] => _names[path];

    public IEnumerable<string> Names => _names.Keys;

    public void CreateDirectory(string path) => _directories.Add(path);

    public IReadOnlyList<string> List(string directory) => [.. _names.Keys.Where(name => Path.GetDirectoryName(name) == directory).Select(name => Path.GetFileName(name))];

    public IReadOnlyList<string> ListDirectories(string directory) => [.. _directories.Where(name => Path.GetDirectoryName(name) == directory).Select(name => Path.GetFileName(name))];

    public bool Exists(string path) => _names.ContainsKey(path);

    public IDiskFile Create(string path)
    {
        Operate($"create {path}");
        if (_names.ContainsKey(path))
            throw new DiskException(DiskError.Failed, $"'{path}' exists.");
        return new Handle(this, _names[path] = new SimulatedFile(), path, _generation);
    }

    public IDiskFile Open(string path, bool writable) =>
        _names.TryGetValue(path, out var file) ? new Handle(this, file, path, _generation) : throw new DiskException(DiskError.Failed, $"No '{path}'.");

    public void Delete(string path)
    {
        Operate($"delete {path}");
        _names.TryRemove(path, out _);
    }

    public void Move(string from, string to)
    {
        Operate($"move {from}");
        _names[to] = _names[from];
        _names.TryRemove(from, out _);
    }

    public void SyncDirectory(string directory)
    {
        Operate($"syncdir {directory}");
        foreach (var name in _names.Keys.Union(_durableNames.Keys).Where(name => Path.GetDirectoryName(name) == directory).ToArray())
            Put(_durableNames, name, _names.GetValueOrDefault(name));
    }

    public DiskSpace GetSpace(string path) => Space;

    public IDiskMap? Map(string path, int bytes) => new FakeMap(_maps.TryGetValue(path, out var octets) ? octets : _maps[path] = new byte[bytes]);

    public IDiskLock? TryLock(string path) => _locks.Add(path) ? new FakeLock(this, path) : null;

    private static void Put(ConcurrentDictionary<string, SimulatedFile> names, string name, SimulatedFile? file)
    {
        if (file is null)
            names.TryRemove(name, out _);
        else
            names[name] = file;
    }

    private DiskException? Operate(string what, bool throws = true)
    {
        if (Crashed)
            throw new CrashException();
        Operations++;
        if (Crashed)
            return throws ? throw new CrashException() : new DiskException(DiskError.Failed, "crash");
        var failure = Fail?.Invoke(what);
        return failure is not null && throws ? throw failure : failure;
    }

    private sealed class FakeMap(byte[] octets) : IDiskMap
    {
        public Span<byte> Octets => octets;

        public void Dispose()
        {
        }
    }

    /// <summary>Goes through all layers, so that nothing happens after the crash.</summary>
    internal sealed class CrashException : Exception;

    internal sealed class SimulatedFile
    {
        private readonly List<(long Offset, byte[] Octets)> _unsynced = [];
        private byte[] _durable = [];

        public byte[] Octets { get; private set; } = [];

        public void Write(long offset, ReadOnlySpan<byte> octets)
        {
            _unsynced.Add((offset, octets.ToArray()));
            Octets = Apply(Octets, offset, octets);
        }

        public void Sync()
        {
            _durable = Octets.ToArray();
            _unsynced.Clear();
        }

        public void Crash(Random random)
        {
            var fate = random.Next(4);  // all lost, all kept, or any mixture
            foreach (var (offset, octets) in _unsynced)
            {
                for (var at = 0; at < octets.Length;)
                {
                    var piece = (int)Math.Min(octets.Length - at, Sector - (offset + at) % Sector);
                    if (fate == 1 || fate > 1 && random.Next(2) == 0)
                        _durable = Apply(_durable, offset + at, octets.AsSpan(at, piece));
                    at += piece;
                }
            }
            _unsynced.Clear();
            Octets = _durable.ToArray();
        }

        private static byte[] Apply(byte[] target, long offset, ReadOnlySpan<byte> octets)
        {
            if (target.Length < offset + octets.Length)
                Array.Resize(ref target, (int)offset + octets.Length);
            octets.CopyTo(target.AsSpan((int)offset));
            return target;
        }
    }

    private sealed class Handle(SimulatedDisk disk, SimulatedFile file, string path, int generation) : IDiskFile
    {
        public long Length => file.Octets.Length;

        public int Read(Span<byte> destination, long offset)
        {
            for (var at = offset & -512; at < offset + destination.Length; at += 512)
            {
                if (disk.BadSector?.Invoke(path, at) == true)
                    throw new DiskException(DiskError.Failed, $"Cannot read '{path}' at {at}.");
            }
            var count = (int)Math.Clamp(file.Octets.Length - offset, 0, destination.Length);
            file.Octets.AsSpan((int)Math.Min(offset, file.Octets.Length), count).CopyTo(destination);
            return count;
        }

        public void Write(ReadOnlySpan<byte> source, long offset)
        {
            Demand();
            if (disk.Operate($"write {path}", throws: false) is { } failure)
            {
                var end = (offset + disk.NextRandom(source.Length + 1)) & -Sector;  // a sector is written whole or not
                if (end > offset)
                    file.Write(offset, source[..(int)(end - offset)]);
                throw disk.Crashed ? new CrashException() : failure;
            }
            file.Write(offset, source);
        }

        public void Write(IReadOnlyList<ReadOnlyMemory<byte>> sources, long offset)
        {
            var all = new MemoryStream();
            foreach (var source in sources)
                all.Write(source.Span);
            Write(all.ToArray(), offset);
        }

        public void Sync()
        {
            Demand();
            disk.Operate($"sync {path}");
            file.Sync();
        }

        public void Dispose()
        {
        }

        private void Demand()
        {
            if (generation != disk._generation)
                throw new CrashException();
        }
    }

    private int NextRandom(int limit) => random.Next(limit);

    private sealed class FakeLock(SimulatedDisk disk, string path) : IDiskLock
    {
        public string ReadText() => disk._names.TryGetValue(path, out var file) ? Encoding.UTF8.GetString(file.Octets) : "";

        public void WriteText(string text)
        {
            var file = new SimulatedFile();
            file.Write(0, Encoding.UTF8.GetBytes(text));
            file.Sync();
            disk._names[path] = disk._durableNames[path] = file;
        }

        public void Dispose() => disk._locks.Remove(path);
    }
}
