using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Veredus.Configuration;
using Veredus.Logging;

namespace Veredus.Node.Hosting;

/// <summary>Runs one node as a process: signals, systemd, pid file, exit codes (mta.md 10).</summary>
/// <remarks>TERM and INT stop it, a second one ends it at once (the spool stays consistent); HUP reloads; USR1 reopens the logs.</remarks>
public static class NodeProcess
{
    private const int SigUsr1 = 10;
    private static readonly TimeSpan Now = TimeSpan.FromSeconds(1);

    /// <summary>Runs until a signal or the console stops the node.</summary>
    /// <param name="report">Gets one text when the node cannot start or has stopped because of a fault.</param>
    /// <param name="warn">Gets what the configuration has that is accepted, but deserves a look.</param>
    /// <returns>The exit code.</returns>
    public static async Task<ExitCode> RunAsync(NodeOptions options, Action<string> report, Action<string> warn)
    {
        using var systemd = SystemdNotifier.FromEnvironment();
        VeredusNode? node = null;
        var stops = 0;
        using var term = Handle(PosixSignal.SIGTERM, Stop);
        using var interrupt = Handle(PosixSignal.SIGINT, Stop);
        using var hangUp = Handle(PosixSignal.SIGHUP, () => _ = ReloadAsync(node, systemd));
        using var user1 = Handle((PosixSignal)SigUsr1, () => node?.ReopenLogs());
        try
        {
            node = await VeredusNode.StartAsync(options);
        }
        catch (StartupException e)
        {
            report(e.Message);
            return e.ExitCode;
        }

        await using (node)
        {
            foreach (var warning in node.StartWarnings)
                warn(warning);
            if (Volatile.Read(ref stops) > 0)
                node.RequestStop();
            var pidFile = new PidFile(node);
            systemd.Ready($"Receiving on {string.Join(", ", node.SmtpEndpoints.Keys)}");
            using var fault = node.Spool.Faulted.Register(() => node.RequestStop());
            var now = await WaitAsync(node, systemd, options.Time);
            systemd.Stopping();
            await node.StopAsync(now ? Now : null);
            pidFile.Delete();
            if (node.Spool.Fault is not { } spoolFault)
                return ExitCode.Normal;
            report($"The spool failed and nothing more can be promised: {spoolFault.Message}");
            return ExitCode.Spool;
        }

        void Stop()
        {
            if (Interlocked.Increment(ref stops) > 1)
                Environment.Exit((int)ExitCode.Normal);
            node?.RequestStop();
        }
    }

    /// <summary>Waits for the end; pings the watchdog meanwhile, as long as delivery answers.</summary>
    private static async Task<bool> WaitAsync(VeredusNode node, SystemdNotifier systemd, TimeProvider time)
    {
        if (systemd.WatchdogInterval is not { } interval)
            return await node.StopRequested;
        while (true)
        {
            // The figures come from under the scheduler's lock: a delivery loop that hangs keeps this from going on.
            await Task.Run(node.Delivery.Summary);
            systemd.Watchdog();
            try
            {
                return await node.StopRequested.WaitAsync(interval, time);
            }
            catch (TimeoutException)
            {
                // The usual case: time for the next ping.
            }
        }
    }

    private static async Task ReloadAsync(VeredusNode? node, SystemdNotifier systemd)
    {
        if (node is null)
            return;
        systemd.Reloading(Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1_000_000));
        var result = await node.ReloadAsync();
        systemd.Ready(result.Success ? "Reconfigured" : "Reconfigure failed; the old configuration stays in force");
    }

    private static PosixSignalRegistration Handle(PosixSignal signal, Action action) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        action();
    });

    /// <summary>The file that says which process this is; without it nothing is lost, so trouble is only told.</summary>
    private sealed class PidFile
    {
        private readonly string _path;
        private readonly bool _isWritten;

        public PidFile(VeredusNode node)
        {
            _path = node.Configuration.Current.Global.Get(Options.Pidfile);
            try
            {
                File.WriteAllText(_path, Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
                _isWritten = true;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                node.Logs.Panic(PanicLevel.Warning, PanicSubsystems.Start, "", $"cannot write pidfile {_path}: {e.Message}");
            }
        }

        public void Delete()
        {
            if (_isWritten)
                File.Delete(_path);
        }
    }
}
