using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Veredus.Configuration;
using Veredus.Logging;
using Veredus.Node;
using Veredus.Node.Hosting;

namespace Veredus.Manager.Hosting;

/// <summary>Runs one manager as a process: signals, systemd, pid file, exit codes.</summary>
/// <remarks>TERM and INT stop it; HUP reloads; USR1 reopens the logs.</remarks>
public static class ManagerProcess
{
    private const int SigUsr1 = 10;

    /// <summary>The pid file where the configuration names none: a node on the same host has its own.</summary>
    public const string DefaultPidFile = "/run/veredus/manager.pid";

    /// <summary>Runs until a signal or the console stops the manager, or the cluster has another of its name.</summary>
    /// <param name="report">Gets one text when the manager cannot start or had to stop.</param>
    /// <param name="warn">Gets what the configuration has that is accepted, but deserves a look.</param>
    /// <param name="withPidFile">Off with <c>-n</c>.</param>
    /// <returns>The exit code.</returns>
    public static async Task<ExitCode> RunAsync(ManagerOptions options, Action<string> report, Action<string> warn, bool withPidFile = true)
    {
        using var systemd = SystemdNotifier.FromEnvironment();
        VeredusManager? manager = null;
        var stops = 0;
        using var term = Handle(PosixSignal.SIGTERM, Stop);
        using var interrupt = Handle(PosixSignal.SIGINT, Stop);
        using var hangUp = Handle(PosixSignal.SIGHUP, () => _ = ReloadAsync(manager, systemd));
        using var user1 = Handle((PosixSignal)SigUsr1, () => manager?.ReopenLogs());
        try
        {
            manager = await VeredusManager.StartAsync(options);
        }
        catch (StartupException e)
        {
            report(e.Message);
            return e.ExitCode;
        }
        await using (manager)
        {
            foreach (var warning in manager.StartWarnings)
                warn(warning);
            if (Volatile.Read(ref stops) > 0)
                manager.RequestStop();
            var pidFile = withPidFile ? WritePidFile(manager) : null;
            systemd.Ready($"Manager {manager.Group.NodeName}, console on {string.Join(", ", manager.ControlEndpoints.Keys)}");
            await WaitAsync(manager, systemd, options.Time);
            systemd.Stopping();
            if (pidFile is not null)
                File.Delete(pidFile);
            if (manager.Expulsion is not { } reason)
                return ExitCode.Normal;
            report($"{reason}; two managers can't have one name: set nodename in the cluster stanza of one of them");
            return ExitCode.Configuration;
        }

        void Stop()
        {
            if (Interlocked.Increment(ref stops) > 1)
                Environment.Exit((int)ExitCode.Normal);
            manager?.RequestStop();
        }
    }

    private static async Task WaitAsync(VeredusManager manager, SystemdNotifier systemd, TimeProvider time)
    {
        while (systemd.WatchdogInterval is { } interval)
        {
            systemd.Watchdog();
            try
            {
                await manager.StopRequested.WaitAsync(interval, time);
                return;
            }
            catch (TimeoutException)
            {
                // The usual case: time for the next ping.
            }
        }
        await manager.StopRequested;
    }

    private static async Task ReloadAsync(VeredusManager? manager, SystemdNotifier systemd)
    {
        if (manager is null)
            return;
        systemd.Reloading(Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1_000_000));
        var result = await manager.ReloadAsync();
        systemd.Ready(result.Success ? "Reconfigured" : "Reconfigure failed; the old configuration stays in force");
    }

    private static PosixSignalRegistration Handle(PosixSignal signal, Action action) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        action();
    });

    /// <summary>The file that says which process this is; without it nothing is lost, so trouble is only told.</summary>
    private static string? WritePidFile(VeredusManager manager)
    {
        var global = manager.Configuration.Current.Root;
        var path = global.Find(Options.Pidfile) is null ? DefaultPidFile : manager.Configuration.Current.Global.Get(Options.Pidfile);
        try
        {
            File.WriteAllText(path, Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
            return path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            manager.Logs.Panic(PanicLevel.Warning, PanicSubsystems.Start, "", $"cannot write pidfile {path}: {e.Message}");
            return null;
        }
    }
}
