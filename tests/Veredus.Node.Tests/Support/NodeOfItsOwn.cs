using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Veredus.Node.Tests.Support;

/// <summary>A node in a process of its own, which can be killed.</summary>
internal sealed partial class NodeOfItsOwn : IDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private readonly Process _process;

    private NodeOfItsOwn(Process process) => _process = process;

    /// <summary>Starts <c>veredus node run</c> and waits until it says that it is ready.</summary>
    public static async Task<NodeOfItsOwn> StartAsync(string directory)
    {
        var executable = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "Veredus", "release", "veredus"));
        Assert.True(File.Exists(executable), $"{executable} is missing; build the solution first.");
        var notify = Path.Combine(directory, "notify");
        File.Delete(notify);
        using var supervisor = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        supervisor.Bind(new UnixDomainSocketEndPoint(notify));
        var start = new ProcessStartInfo(executable, ["node", "run", "-d", "-c", Path.Combine(directory, "veredus.conf")]) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["NOTIFY_SOCKET"] = notify;
        var errors = new StringBuilder();
        var process = new Process { StartInfo = start };
        process.ErrorDataReceived += (_, line) => errors.AppendLine(line.Data);
        process.OutputDataReceived += (_, line) => errors.AppendLine(line.Data);
        process.Start();
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        var node = new NodeOfItsOwn(process);
        try
        {
            var buffer = new byte[1024];
            using var limit = new CancellationTokenSource(StartLimit);
            var exited = process.WaitForExitAsync(limit.Token);
            var said = supervisor.ReceiveAsync(buffer, SocketFlags.None, limit.Token).AsTask();
            await Task.WhenAny(exited, said);
            Assert.True(said.IsCompletedSuccessfully, $"The node did not start: {errors}");
            Assert.StartsWith("READY=1", Encoding.UTF8.GetString(buffer, 0, await said), StringComparison.Ordinal);
            return node;
        }
        catch
        {
            node.Dispose();
            throw;
        }
    }

    /// <summary>A port of loopback that is free now.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM, as systemd stops a service; the exit code.</summary>
    public async Task<int> TerminateAsync()
    {
        Assert.Equal(0, SendSignal(_process.Id, 15));
        using var limit = new CancellationTokenSource(StartLimit);
        await _process.WaitForExitAsync(limit.Token);
        return _process.ExitCode;
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }
}
