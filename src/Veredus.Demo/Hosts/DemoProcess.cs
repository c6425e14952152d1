using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Demo;

/// <summary>A daemon of this program as a process of its own: it can be frozen, killed and started again.</summary>
internal sealed class DemoProcess : IAsyncDisposable
{
    private const int LastLines = 20;
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60), StopLimit = TimeSpan.FromSeconds(20);

    private readonly Process _process;
    private readonly Queue<string> _said = [];

    private DemoProcess(Process process) => _process = process;

    public int ProcessId => _process.Id;

    public bool HasEnded => _process.HasExited;

    /// <summary>Completes when the process has ended.</summary>
    public Task Ended(CancellationToken cancellationToken) => _process.WaitForExitAsync(cancellationToken);

    /// <summary>Starts a daemon and returns when it says READY=1 as it would to systemd.</summary>
    /// <param name="prefix">Where it runs, e.g. <c>ip netns exec NAME</c>; empty: here.</param>
    /// <param name="words">The daemon's command line behind the program's name, e.g. <c>node run -c FILE</c>.</param>
    /// <param name="directory">Its working directory; the socket on which it says that it is ready lies there.</param>
    /// <exception cref="IOException">It ended or did not get ready; the message carries its last words.</exception>
    public static async Task<DemoProcess> StartAsync(IReadOnlyList<string> prefix, IReadOnlyList<string> words, string directory, CancellationToken cancellationToken)
    {
        var notify = Path.Combine(directory, "notify.sock");
        File.Delete(notify);
        using var ready = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        ready.Bind(new UnixDomainSocketEndPoint(notify));
        // A session of its own: the terminal's Ctrl-C is for the demo, not for its daemons.
        string[] command = [.. prefix, "setsid", Launcher.Program, .. words];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true, RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false, WorkingDirectory = directory,
        };
        start.Environment["NOTIFY_SOCKET"] = notify;
        start.Environment.Remove("JOURNAL_STREAM");
        start.Environment.Remove(Launcher.DirectoryVariable);
        var process = new Process { StartInfo = start };
        var daemon = new DemoProcess(process);
        process.ErrorDataReceived += (_, line) => daemon.Keep(line.Data);
        process.OutputDataReceived += (_, line) => daemon.Keep(line.Data);
        process.Start();
        process.StandardInput.Close();
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        try
        {
            await daemon.ReadyAsync(ready, string.Join(' ', words.Take(2)), cancellationToken);
            return daemon;
        }
        catch
        {
            await daemon.KillAsync();
            process.Dispose();
            throw;
        }
    }

    private async Task ReadyAsync(Socket socket, string what, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        either.CancelAfter(StartLimit);
        var (ending, ready) = (_process.WaitForExitAsync(either.Token), ReadyAsync(socket, either.Token));
        try
        {
            if (await Task.WhenAny(ending, ready) == ready)
                await ready;
            else if (!either.IsCancellationRequested)
                throw new IOException($"{what} ended at its start with exit code {_process.ExitCode}: {LastWords}");
            either.Token.ThrowIfCancellationRequested();
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"{what} was not ready within {StartLimit.TotalSeconds:0} s: {LastWords}");
        }
        finally
        {
            await either.CancelAsync();
            await Task.WhenAll(ending, ready).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private static async Task ReadyAsync(Socket socket, CancellationToken cancellationToken)
    {
        var buffer = new byte[4096];
        while (!Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer, cancellationToken)).Split('\n').Contains("READY=1"))
        {
        }
    }

    public void Send(Signal signal)
    {
        if (!_process.HasExited)
            _ = Launcher.Kill(_process.Id, (int)signal);
    }

    /// <summary>As a crash would: nothing is written, nothing is said.</summary>
    public async Task KillAsync()
    {
        Send(Signal.Kill);
        await _process.WaitForExitAsync();
    }

    /// <summary>Asks it to end in good order; kills it when it takes too long.</summary>
    /// <returns>Whether it ended by itself.</returns>
    public async Task<bool> StopAsync()
    {
        Send(Signal.Terminate);
        using var limit = new CancellationTokenSource(StopLimit);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            await KillAsync();
            return false;
        }
    }

    /// <summary>The last lines that it wrote.</summary>
    public string LastWords
    {
        get
        {
            lock (_said)
                return _said.Count == 0 ? "it said nothing" : string.Join(" / ", _said);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _process.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is null)
            return;
        lock (_said)
        {
            _said.Enqueue(line);
            if (_said.Count > LastLines)
                _said.Dequeue();
        }
    }
}
