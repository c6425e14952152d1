using System.Diagnostics;

namespace Veredus.Cluster;

/// <summary>
/// A corosync of our own beside others on one host, for the demonstration cluster and the lab: in a network namespace (its sockets are abstract
/// and end there) and with a <c>/run</c> of its own (its lock file would meet the others'). On a real node a service unit starts corosync.
/// </summary>
public sealed class CorosyncDaemon : IAsyncDisposable
{
    private const string ReadyLine = "ready to provide service";
    private static readonly TimeSpan s_stopTimeout = TimeSpan.FromSeconds(5);

    private readonly Process _process;
    private readonly Task _reading;
    private readonly Queue<string> _lastLines = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private CorosyncDaemon(Process process)
    {
        _process = process;
        _reading = ReadAsync();
    }

    /// <summary>The daemon itself: what starts it becomes it.</summary>
    public int ProcessId => _process.Id;

    /// <summary>Writes configuration and key into <paramref name="directory"/> and starts corosync there; returns when it serves.</summary>
    /// <param name="prefix">What to run it with, ending in a mount namespace of its own: <c>ip netns exec NAME</c> or <c>unshare -m</c>.</param>
    /// <param name="configuration">Its key file and state directory are placed in <paramref name="directory"/>.</param>
    /// <exception cref="IOException">corosync ended; its last lines are in the message.</exception>
    public static async Task<CorosyncDaemon> StartAsync(
        IReadOnlyList<string> prefix, string directory, CorosyncConfiguration configuration, byte[] key, CancellationToken cancellationToken)
    {
        var state = Directory.CreateDirectory(Path.Combine(directory, "state")).FullName;
        var (file, keyFile) = (Path.Combine(directory, "corosync.conf"), Path.Combine(directory, "authkey"));
        File.Delete(keyFile);
        await using (var stream = new FileStream(keyFile, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead,
        }))
            await stream.WriteAsync(key, cancellationToken);
        await File.WriteAllTextAsync(file, (configuration with { KeyFile = keyFile, StateDirectory = state }).Render(), cancellationToken);

        return await StartAsync(prefix, file, cancellationToken);
    }

    /// <summary>Starts corosync with a configuration that is there, e.g. from <c>veredus setup node</c>; returns when it serves.</summary>
    /// <exception cref="IOException">corosync ended; its last lines are in the message.</exception>
    public static async Task<CorosyncDaemon> StartAsync(IReadOnlyList<string> prefix, string file, CancellationToken cancellationToken)
    {
        string[] command = [.. prefix, "sh", "-c", "mount -t tmpfs -o mode=755,size=4m tmpfs /run && exec corosync -f -c \"$1\"", "corosync", file];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true };
        var daemon = new CorosyncDaemon(Process.Start(start) ?? throw new IOException($"{command[0]} could not be started."));
        try
        {
            await daemon._ready.Task.WaitAsync(cancellationToken);
            return daemon;
        }
        catch
        {
            await daemon.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends it without a word to the others, as a crash would.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        RemoveSharedMemory();
    }

    /// <summary>What libqb leaves behind of a killed daemon: rings named for its process id, some megabytes each time.</summary>
    private void RemoveSharedMemory()
    {
        var memory = new DirectoryInfo("/dev/shm");
        foreach (var pattern in (string[])[$"qb-{_process.Id}-*", $"qb-corosync-{_process.Id}-*"])
            foreach (var left in memory.EnumerateFileSystemInfos(pattern).ToArray())
                if (left is DirectoryInfo directory)
                    directory.Delete(recursive: true);
                else
                    left.Delete();
    }

    private async Task ReadAsync()
    {
        while (await _process.StandardError.ReadLineAsync() is { } line)
        {
            _lastLines.Enqueue(line);
            if (_lastLines.Count > 10)
                _lastLines.Dequeue();
            if (line.Contains(ReadyLine, StringComparison.Ordinal))
                _ready.TrySetResult();
        }
        _ready.TrySetException(new IOException($"corosync ended: {string.Join(" | ", _lastLines)}"));
    }

    /// <summary>Asks it to leave the ring and end; kills it when it doesn't.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            using var terminate = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
            using var timeout = new CancellationTokenSource(s_stopTimeout);
            try
            {
                await _process.WaitForExitAsync(timeout.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill();
            }
        }
        await _reading;
        RemoveSharedMemory();
        _process.Dispose();
    }
}
