using System.Globalization;
using System.Runtime.InteropServices;
using Veredus.Logging;

namespace Veredus.Control.Commands;

/// <summary>The commands that every daemon has, node or manager (mta.md 9.3 and 9.4): itself, its logs, its users, its configuration.</summary>
/// <param name="process">The daemon.</param>
/// <param name="logs">For <c>paniclog</c>; <see langword="null"/> where there are none.</param>
/// <param name="authorization">The roles in force now; null without authorization.</param>
/// <param name="configuration">Opens the <c>config</c> commands of a session.</param>
public sealed class ProcessCommands(
    IProcessConsole process, MailLogs? logs, Func<ControlAuthorization?> authorization, Func<IConfigConsole> configuration)
{
    public IEnumerable<ControlCommand> Commands =>
    [
        new("version", "", "version and product", (call, _) => QueueCommands.Answer(call, System(), info => [$"{info.Product} {info.Version}"])) { HasJson = true },
        new("pid", "", "process id", (_, _) => new(ControlAnswer.Ok(Environment.ProcessId.ToString(CultureInfo.InvariantCulture)))),
        new("sysinfo", "", "product, runtime and kernel", (call, _) => QueueCommands.Answer(call, System(), Text)) { HasJson = true },
        new("threads stats", "", "figures of the thread pool", (call, _) => QueueCommands.Answer(call, Threads(), Text)) { HasJson = true },
        new("counter list", "", "named counters", (call, _) => QueueCommands.Answer(call, QueueCommands.List(Counters()), Text)) { HasJson = true },
        new("paniclog", "", "the last 10 entries of each level", (call, _) => QueueCommands.Answer(call, QueueCommands.List(Panics()), Text)) { HasJson = true },
        new("authz id", "", "who you are, and your roles", Identify) { HasJson = true },
        new("authz roles list", "", "roles that the configuration defines", (call, _) =>
            QueueCommands.Answer(call, QueueCommands.List<string>([.. authorization()?.Roles ?? []]), list => list.Items)) { HasJson = true },
        new("note", "TEXT", "leaves a remark (level NOTICE), e.g. why something is done; 'paniclog' shows it", Note),
        new("reopen logs", "", "closes and opens all logs, for rotation", Reopen),
        new("config", "get|eval|set|unset|show|showrecurse|locate|begin|replay|commit|rollback|reload|writeback ...",
            "reads and changes the configuration", (call, stop) => Session(call).RunAsync(call.Rest, call.Json, stop)) { HasJson = true },
        new("write config", "[file]", "the whole running configuration as one text", (call, stop) => call.Arguments.Count > 1
            ? new(ControlAnswer.Usage(call.Command)) : Session(call).WriteAsync(call.Arguments.Count > 0 ? call.Arguments[0] : null, stop)),
        new("shutdown", "[now]", "orderly stop", Shutdown),
    ];

    private IConfigConsole Session(ControlCall call) => call.Session.State(() => new ConfigSession(configuration())).Console;

    private static IEnumerable<string> Text(SystemInfo info) =>
    [
        $"Product: {info.Product} {info.Version}", $"Host: {info.Host}", string.Create(CultureInfo.InvariantCulture, $"Process: {info.Pid}"),
        $"Runtime: {info.Runtime}", $"System: {info.OperatingSystem}", $"Kernel: {info.Kernel}",
    ];

    private static IEnumerable<string> Text(ThreadStatistics threads) =>
    [
        string.Create(CultureInfo.InvariantCulture, $"Threads: {threads.Threads}"), string.Create(CultureInfo.InvariantCulture, $"Pending: {threads.PendingItems}"),
        string.Create(CultureInfo.InvariantCulture, $"Completed: {threads.CompletedItems}"), string.Create(CultureInfo.InvariantCulture, $"Processors: {threads.Processors}"),
    ];

    private static IEnumerable<string> Text(Listing<CounterLine> counters) =>
        [.. counters.Items.Select(counter => string.Create(CultureInfo.InvariantCulture, $"{counter.Value,12} {counter.Name}")),
            string.Create(CultureInfo.InvariantCulture, $"{counters.Total} counters")];

    private static IEnumerable<string> Text(Listing<PanicLine> entries) =>
        entries.Items.Select(entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Time} {entry.Level.ToUpperInvariant(),-8} {entry.Text}"));

    private static ThreadStatistics Threads() =>
        new(ThreadPool.ThreadCount, ThreadPool.PendingWorkItemCount, ThreadPool.CompletedWorkItemCount, Environment.ProcessorCount);

    private SystemInfo System() => new("veredus", process.Version, process.HostName, Environment.ProcessId, RuntimeInformation.FrameworkDescription,
        RuntimeInformation.OSDescription, Environment.OSVersion.Version.ToString());

    private List<CounterLine> Counters() => [.. (logs?.Counters ?? []).SelectMany(counter => new CounterLine[]
        { new($"log.lines {counter.Destination}", counter.Lines), new($"log.dropped {counter.Destination}", counter.Dropped) })];

    private List<PanicLine> Panics() => logs is null ? [] : [.. Enum.GetValues<PanicLevel>().Reverse()
        .SelectMany(logs.RecentPanics).Select(entry => new PanicLine(entry.Time, entry.Level.ToString().ToLowerInvariant(), entry.Text))];

    private ValueTask<ControlAnswer> Identify(ControlCall call, CancellationToken cancellationToken)
    {
        var user = call.Session.User;
        return QueueCommands.Answer(call, new Identity(user, authorization()?.RolesOf(user) ?? []),
            identity => [$"User: {identity.User}", $"Roles: {string.Join(' ', identity.Roles)}".TrimEnd()]);
    }

    private ValueTask<ControlAnswer> Note(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments.Count == 0)
            return new(ControlAnswer.Usage(call.Command));
        logs?.Panic(PanicLevel.Notice, PanicSubsystems.Start, "note", $"{call.Session.User}: {string.Join(' ', call.Arguments)}");
        return new(ControlAnswer.Ok("noted"));
    }

    private ValueTask<ControlAnswer> Reopen(ControlCall call, CancellationToken cancellationToken)
    {
        process.ReopenLogs();
        return new(ControlAnswer.Ok("logs reopened"));
    }

    private ValueTask<ControlAnswer> Shutdown(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments.Count > 1 || (call.Arguments is [var word] && !word.Equals("now", StringComparison.OrdinalIgnoreCase)))
            return new(ControlAnswer.Usage(call.Command));
        logs?.Panic(PanicLevel.Notice, PanicSubsystems.Start, "", $"shutdown asked for by {call.Session.User} on the console");
        process.Shutdown(call.Arguments.Count == 1);
        return new(ControlAnswer.Ok("shutting down"));
    }

    /// <summary>Keeps a session's configuration console under a type of its own.</summary>
    private sealed record ConfigSession(IConfigConsole Console) : IDisposable
    {
        public void Dispose() => Console.Dispose();
    }
}
