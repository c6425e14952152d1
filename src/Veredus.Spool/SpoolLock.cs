using System.Globalization;

namespace Veredus.Spool;

/// <summary>Who owns a spool, as its lock file says. One <c>name value</c> pair a line after a first line with the format.</summary>
/// <param name="Node">Name of the node.</param>
/// <param name="Instance">Instance number on its machine.</param>
/// <param name="ProcessId">Process of the owner.</param>
/// <param name="Machine">Machine id, which lasts.</param>
/// <param name="Boot">Boot id of that machine.</param>
/// <param name="Started">When the owner took the lock.</param>
/// <param name="Renewed">When it last said that it lives.</param>
/// <param name="TakeOverOf">The node whose spool another node imports, or has imported; it may come back to it.</param>
public sealed record SpoolOwner(string Node, int Instance, int ProcessId, string Machine, string Boot, DateTimeOffset Started, DateTimeOffset Renewed, string? TakeOverOf = null)
{
    private const string FirstLine = "veredus-spool-lock 1";

    public string Format() => string.Create(CultureInfo.InvariantCulture, $"""
        {FirstLine}
        node {Node}
        instance {Instance}
        pid {ProcessId}
        machine {Machine}
        boot {Boot}
        started {Started.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}
        renewed {Renewed.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}
        {(TakeOverOf is null ? "" : $"takeover_of {TakeOverOf}\n")}
        """);

    /// <summary>Reads a record; unknown lines are ignored.</summary>
    public static bool TryParse(string text, out SpoolOwner owner)
    {
        owner = null!;
        var lines = text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (lines is not [FirstLine, ..])
            return false;
        var values = new Dictionary<string, string>();
        foreach (var line in lines.Skip(1))
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space > 0)
                values[line[..space]] = line[(space + 1)..];
        }
        if (values.GetValueOrDefault("node") is not { } node)
            return false;
        owner = new(
            node,
            Number("instance"),
            Number("pid"),
            values.GetValueOrDefault("machine", ""),
            values.GetValueOrDefault("boot", ""),
            Time("started"),
            Time("renewed"),
            values.GetValueOrDefault("takeover_of"));
        return true;

        int Number(string name) => int.TryParse(values.GetValueOrDefault(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

        DateTimeOffset Time(string name) => DateTimeOffset.TryParse(values.GetValueOrDefault(name), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : default;
    }

    internal static (string Machine, string Boot) ThisMachine() => (Read("/etc/machine-id"), Read("/proc/sys/kernel/random/boot_id"));

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "unknown";
        }
    }
}

/// <summary>The lock of a spool base: an fcntl lock held for life, and a record that says whose it is.</summary>
internal sealed class SpoolLock : IDisposable
{
    /// <summary>An owner on another machine that said so within this time is taken to live, whatever the lock says.</summary>
    public static readonly TimeSpan RenewalLimit = TimeSpan.FromSeconds(30);

    private readonly IDiskLock _lock;
    private SpoolOwner _owner;

    private SpoolLock(IDiskLock diskLock, SpoolOwner owner) => (_lock, _owner) = (diskLock, owner);

    /// <summary>The node that the record named when the lock was taken; empty: there was none.</summary>
    public string OwnerBefore { get; private init; } = "";

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
                var seconds = (long)(now - last.Renewed).TotalSeconds;
                if (last.Node != node && last.TakeOverOf != node && !takeOver)
                    throw new SpoolOpenException($"spool: '{spoolBase}' belongs to {last.Node} (renewed {seconds} s ago); this node is {node}. Set spoolbase to this node's own directory, or, if {last.Node} is gone, start with --take-over.");
                if (isImport)
                    takeOverOf = last.TakeOverOf ?? (last.Node == node ? null : last.Node);
                if (last.Machine != machine && seconds < RenewalLimit.TotalSeconds)
                    throw new SpoolOpenException($"spool: '{spoolBase}' belongs to {last.Node} on another machine (renewed {seconds} s ago). Stop it there and wait {RenewalLimit.TotalSeconds:0} s.");
            }
            var owner = new SpoolOwner(node, instance, Environment.ProcessId, machine, boot, now, now, takeOverOf);
            diskLock.WriteText(owner.Format());
            return new(diskLock, owner) { OwnerBefore = takeOverOf ?? last?.Node ?? "" };
        }
        catch
        {
            diskLock.Dispose();
            throw;
        }
    }

    /// <summary>Writes the renewal time.</summary>
    public void Renew(DateTimeOffset now)
    {
        _owner = _owner with { Renewed = now };
        _lock.WriteText(_owner.Format());
    }

    public void Dispose() => _lock.Dispose();

    private static string Describe(IDisk disk, string path)
    {
        using var file = disk.Open(path, writable: false);
        var text = new byte[4096];
        return SpoolOwner.TryParse(System.Text.Encoding.UTF8.GetString(text.AsSpan(0, file.Read(text, 0))), out var owner)
            ? $"{(owner.TakeOverOf is null ? "in use" : "being imported")} by {owner.Node} instance {owner.Instance} (process {owner.ProcessId}, started {owner.Started.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC)"
            : "in use by another process";
    }
}
