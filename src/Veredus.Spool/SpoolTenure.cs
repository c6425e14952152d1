using System.Globalization;
using System.Text;

namespace Veredus.Spool;

/// <summary>Another node has this spool now. Nothing more may be written to it, nor promised or delivered from it.</summary>
public sealed class SpoolTakenException(string message) : IOException(message);

/// <summary>The lock of a spool base: an fcntl lock held for life, a record that says whose it is, and the time at which the owner last said that it lives.</summary>
/// <remarks>
/// On shared storage a lock can get lost without its holder's knowing: its host froze, or was cut off. So the record counts: each taking gives it a higher epoch, and
/// an owner looks, before it says again that it lives, whether the record still has its own. The time stands in a file of its own, <c>spool.renewed-EPOCH</c>: an
/// owner that lost the spool in the middle of saying so spoils nothing of its successor's.
/// </remarks>
internal sealed class SpoolLock : IDisposable
{
    /// <summary>An owner that said so within this time is taken to live, unless its lock is free on this very machine.</summary>
    public static readonly TimeSpan RenewalLimit = TimeSpan.FromSeconds(30);

    private readonly IDisk _disk;
    private readonly IDiskLock _lock;
    private readonly string _spoolBase;
    private readonly SpoolOwner _owner;
    private readonly TimeProvider _time;
    private long _provedAt;
    private long _provedUnixMs;

    private SpoolLock(IDisk disk, IDiskLock diskLock, string spoolBase, SpoolOwner owner, TimeProvider time)
    {
        (_disk, _lock, _spoolBase, _owner, _time) = (disk, diskLock, spoolBase, owner, time);
        Proved(time.GetTimestamp(), time.GetUtcNow());
    }

    /// <summary>The node that the record named when the lock was taken; empty: there was none.</summary>
    public string OwnerBefore { get; private init; } = "";

    public uint Epoch => _owner.Epoch;

    public static string PathOf(string spoolBase) => Path.Combine(spoolBase, "spool.lock");

    /// <param name="isImport">The spool is only held while its messages are moved away: its own node may come back to it afterwards.</param>
    /// <exception cref="SpoolOpenException">Held by a living process, or the record names another node and <paramref name="takeOver"/> is not set.</exception>
    public static SpoolLock Take(IDisk disk, string spoolBase, string node, int instance, bool takeOver, TimeProvider time, bool isImport = false)
    {
        var path = PathOf(spoolBase);
        var diskLock = disk.TryLock(path);
        if (diskLock is null)
            throw new SpoolOpenException($"spool: '{spoolBase}' is {Describe(disk, path)}. Stop that process first; two never share a spool.");
        try
        {
            string? takeOverOf = null;
            var (machine, boot) = SpoolOwner.ThisMachine();
            var now = time.GetUtcNow();
            if (SpoolOwner.TryParse(diskLock.ReadText(), out var last))
            {
                last = last with { Renewed = LastRenewal(disk, spoolBase, last) };
                var seconds = (long)(now - last.Renewed).TotalSeconds;
                if (last.Node != node && last.TakeOverOf != node && !takeOver)
                    throw new SpoolOpenException($"spool: '{spoolBase}' belongs to {last.Node} (renewed {seconds} s ago); this node is {node}. Set spoolbase to this node's own directory, or, if {last.Node} is gone, start with --take-over.");
                if (isImport)
                    takeOverOf = last.TakeOverOf ?? (last.Node == node ? null : last.Node);
                if (last.Machine != machine && seconds < RenewalLimit.TotalSeconds)
                    throw new SpoolOpenException($"spool: '{spoolBase}' belongs to {last.Node} on another machine (renewed {seconds} s ago). Stop it there and wait {RenewalLimit.TotalSeconds:0} s.");
            }
            var owner = new SpoolOwner(node, instance, Environment.ProcessId, machine, boot, now, now, takeOverOf) { Epoch = (last?.Epoch ?? 0) + 1 };
            diskLock.WriteText(owner.Format());
            if (last is not null && disk.Exists(RenewalPath(spoolBase, last.Epoch)))
                disk.Delete(RenewalPath(spoolBase, last.Epoch));
            return new(disk, diskLock, spoolBase, owner, time) { OwnerBefore = takeOverOf ?? last?.Node ?? "" };
        }
        catch
        {
            diskLock.Dispose();
            throw;
        }
    }

    /// <summary>The record of a spool and when its owner last said that it lives; <see langword="null"/>: there is none.</summary>
    public static SpoolOwner? Read(IDisk disk, string spoolBase)
    {
        var path = PathOf(spoolBase);
        return disk.Exists(path) && SpoolOwner.TryParse(ReadText(disk, path), out var owner) ? owner with { Renewed = LastRenewal(disk, spoolBase, owner) } : null;
    }

    /// <summary>Whether it was proved within <paramref name="limit"/> that the spool is still ours; by both clocks, so that neither a frozen process nor a suspended host is deceived.</summary>
    public bool IsProved(TimeSpan limit) =>
        _time.GetElapsedTime(Volatile.Read(ref _provedAt)) < limit && _time.GetUtcNow().ToUnixTimeMilliseconds() - Volatile.Read(ref _provedUnixMs) < limit.TotalMilliseconds;

    /// <summary>Looks whether the spool is still ours and says that its owner lives.</summary>
    /// <exception cref="SpoolTakenException">It is not.</exception>
    /// <exception cref="DiskException">The storage does not answer as it should.</exception>
    public void Renew()
    {
        var (stamp, now) = (_time.GetTimestamp(), _time.GetUtcNow());
        var text = ReadText(_disk, PathOf(_spoolBase));
        if (!SpoolOwner.TryParse(text, out var holder))
            throw new DiskException(DiskError.Failed, $"'{PathOf(_spoolBase)}' holds no record of an owner any more.");
        if (holder.Epoch != _owner.Epoch || holder.Node != _owner.Node || holder.ProcessId != _owner.ProcessId || holder.Boot != _owner.Boot)
            throw new SpoolTakenException($"spool: '{_spoolBase}' was taken over by {holder.Node}{(holder.TakeOverOf is null ? "" : ", which imports it,")} on {holder.Started.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC. What this node had there is that node's now; start this one again, it finds an empty spool.");
        var path = RenewalPath(_spoolBase, _owner.Epoch);
        using (var file = _disk.Exists(path) ? _disk.Open(path, writable: true) : _disk.Create(path))
        {
            file.Write(Encoding.ASCII.GetBytes($"renewed {now.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)}\n"), 0);
            file.Sync();
        }
        // What was true when the record was read: later than that nothing is proved.
        Proved(stamp, now);
    }

    public void Dispose() => _lock.Dispose();

    private void Proved(long stamp, DateTimeOffset now)
    {
        Volatile.Write(ref _provedAt, stamp);
        Volatile.Write(ref _provedUnixMs, now.ToUnixTimeMilliseconds());
    }

    private static string RenewalPath(string spoolBase, uint epoch) => Path.Combine(spoolBase, string.Create(CultureInfo.InvariantCulture, $"spool.renewed-{epoch}"));

    private static DateTimeOffset LastRenewal(IDisk disk, string spoolBase, SpoolOwner owner)
    {
        var path = RenewalPath(spoolBase, owner.Epoch);
        return disk.Exists(path) && ReadText(disk, path).Trim().Split(' ') is ["renewed", var time]
            && DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var renewed) && renewed > owner.Renewed ? renewed : owner.Renewed;
    }

    private static string ReadText(IDisk disk, string path)
    {
        using var file = disk.Open(path, writable: false);
        var text = new byte[4096];
        return Encoding.UTF8.GetString(text.AsSpan(0, file.Read(text, 0)));
    }

    private static string Describe(IDisk disk, string path) => SpoolOwner.TryParse(ReadText(disk, path), out var owner)
        ? $"{(owner.TakeOverOf is null ? "in use" : "being imported")} by {owner.Node} instance {owner.Instance} (process {owner.ProcessId}, started {owner.Started.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC)"
        : "in use by another process";
}
