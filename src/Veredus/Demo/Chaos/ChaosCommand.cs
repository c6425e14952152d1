using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using Veredus.CommandLine;

namespace Veredus.Demo;

/// <summary>Faults at random but repeatable, and what they must never do (cli.md 13).</summary>
internal static class ChaosCommand
{
    /// <summary>For tests of the judge: <c>stranger</c> lets a foreign host take an address.</summary>
    public const string PlantVariable = "VEREDUS_CHAOS_PLANT";

    private const int MaxFaults = 1000, Managers = 2;
    private static readonly FaultKind[] Usual = [FaultKind.Kill, FaultKind.Freeze, FaultKind.Cut, FaultKind.Slow, FaultKind.Loss, FaultKind.Bus, FaultKind.Restart, FaultKind.Manager];

    private static readonly Option<bool> Demo = new("--demo") { Description = "Against a demo cluster that is made for it and removed afterwards" };
    private static readonly Option<ulong?> Seed = new("--seed") { Description = "The same seed gives the same schedule; otherwise one is drawn and printed", HelpName = "N" };
    private static readonly Option<string> For = new("--for") { Description = "How long faults come", HelpName = "D", DefaultValueFactory = _ => "3m" };
    private static readonly Option<int> Most = new("--max-faults") { Description = $"At most so many, up to {MaxFaults}", HelpName = "N", DefaultValueFactory = _ => 40 };
    private static readonly Option<string?> Only = new("--only") { Description = "Only these: kill, freeze, cut, slow, loss, bus, delay, peer, restart, manager, journal", HelpName = "KINDS" };
    private static readonly Option<string> Gap = new("--gap") { Description = "Time between a repair and the next fault", HelpName = "D..D", DefaultValueFactory = _ => "5s..30s" };
    private static readonly Option<string?> Report = new("--report") { Description = "Where the report goes; otherwise chaos-SEED", HelpName = "DIR" };
    private static readonly Option<string> Silence = new("--silence") { Description = "Longest time that an address may be silent", HelpName = "D", DefaultValueFactory = _ => "6s" };
    private static readonly Option<string> Settle = new("--settle") { Description = "Longest time until all is settled after the last repair", HelpName = "D", DefaultValueFactory = _ => "60s" };
    private static readonly Option<int> Rate = new("--rate") { Description = $"Messages a second, up to {DemoOptions.MaxRate}", HelpName = "N", DefaultValueFactory = _ => 20 };
    private static readonly Argument<string> From = new("DIR") { Description = "Directory of a report" };

    public static Command Build(CliHost host)
    {
        var command = new Command("chaos", "Random but repeatable faults against a cluster, and whether it keeps its promises")
        {
            CommandTree.Leaf(host, "run", "Plays faults and judges: exit 0, or 20 when an invariant was broken",
                ["veredus chaos run --demo --seed 7 --for 3m", "veredus chaos run --demo --only kill,cut --gap 2s..5s --json"], RunAsync,
                Demo, Seed, For, Most, Only, Gap, Report, Silence, Settle, Rate, DemoSession.IsolationWanted),
            CommandTree.Leaf(host, "replay", "Plays the schedule of a report again", ["veredus chaos replay chaos-7", "veredus chaos replay chaos-7 --json"], ReplayAsync,
                From, Report, Silence, Settle, DemoSession.IsolationWanted),
            CommandTree.Leaf(host, "report", "Prints a report again", ["veredus chaos report chaos-7", "veredus chaos report chaos-7 --json"], PrintAsync, From),
        };
        return command;
    }

    private static Task<int> RunAsync(Call call, CancellationToken cancellationToken)
    {
        if (!call.Parse.GetValue(Demo))
            throw new CliException(ExitCodes.Usage, "Chaos is for a demo cluster only in this version.", "Add --demo.");
        var (rate, most, length) = (call.Parse.GetValue(Rate), call.Parse.GetValue(Most), DemoCommand.Duration(call.Parse.GetValue(For)!));
        if (rate is < 1 or > DemoOptions.MaxRate)
            throw new CliException(ExitCodes.Usage, $"--rate {rate}: give 1 to {DemoOptions.MaxRate}.");
        if (most is < 0 or > MaxFaults)
            throw new CliException(ExitCodes.Usage, $"--max-faults {most}: give 0 to {MaxFaults}.");
        var (from, to) = Between(call.Parse.GetValue(Gap)!);
        var bounds = new ChaosBounds((long)length.TotalMilliseconds, from, to, most, new DemoOptions().Nodes, Kinds(call.Parse.GetValue(Only)), Managers);
        // Drawn here, so that the half inside the namespaces has the same.
        var seed = call.Parse.GetValue(Seed) ?? RandomNumberGenerator.GetBytes(4).Aggregate(0UL, (number, octet) => number << 8 | octet);
        return PlayAsync(call, seed, bounds, rate, ChaosPlan.Make(seed, bounds), call.Parse.GetValue(Report) ?? $"chaos-{seed}", call.Parse.GetValue(Seed) is null ? ["--seed", seed.ToString(CultureInfo.InvariantCulture)] : [], cancellationToken);
    }

    private static Task<int> ReplayAsync(Call call, CancellationToken cancellationToken)
    {
        var told = ChaosReport.Read(call.Parse.GetValue(From)!);
        return PlayAsync(call, told.Seed, told.Bounds, told.Rate, told.Schedule, call.Parse.GetValue(Report) ?? "", [], cancellationToken);
    }

    private static Task<int> PrintAsync(Call call, CancellationToken cancellationToken)
    {
        var (directory, told) = (call.Parse.GetValue(From)!, ChaosReport.Read(call.Parse.GetValue(From)!));
        if (!call.IsJson)
        {
            call.Out.Line(ChaosReport.Head(told.Seed, told.Build, told.Bounds, told.Rate));
            foreach (var entry in told.Timeline)
                call.Out.Line(ChaosReport.Line(entry, told.Started));
        }
        ChaosReport.Print(call, told, directory);
        return Task.FromResult(ExitCodes.Done);
    }

    private static Task<int> PlayAsync(
        Call call, ulong seed, ChaosBounds bounds, int rate, IReadOnlyList<ChaosFault> plan, string report, string[] further, CancellationToken cancellationToken)
    {
        var limits = new ChaosLimits(DemoCommand.Duration(call.Parse.GetValue(Silence)!), DemoCommand.Duration(call.Parse.GetValue(Settle)!));
        // Start, settling and the last mail take their time too.
        return DemoSession.RunAsync(call, $"chaos, seed {seed}", TimeSpan.FromMilliseconds(bounds.LengthMs) + limits.Settle + TimeSpan.FromMinutes(10),
            (directory, state, stop) => InsideAsync(call, directory, state, seed, bounds, rate, plan, limits, report, stop),
            (isolation, _) => throw new CliException(ExitCodes.Failed, $"Chaos needs network namespaces: {isolation.Why}"), cancellationToken, further);
    }

    private static async Task<int> InsideAsync(
        Call call, DemoDirectory directory, DemoState state, ulong seed, ChaosBounds bounds, int rate, IReadOnlyList<ChaosFault> plan, ChaosLimits limits, string report, CancellationToken cancellationToken)
    {
        if (bounds.Kinds.Contains(FaultKind.Delay) && !await NetworkFaults.CanDelayAsync(cancellationToken))
            throw new CliException(ExitCodes.Failed, "This kernel can't delay frames (no netem).", "Leave 'delay' out of --only.");
        if (bounds.Kinds.Any(kind => kind is FaultKind.Cut or FaultKind.Loss or FaultKind.Peer) && !NetworkFaults.CanLose)
            throw new CliException(ExitCodes.Failed, "nft is not installed; cut, loss and peer need it.", "apt-get install nftables, or leave them out with --only.");
        // Set again when the cluster is ready: what comes before is at 00:00.
        var started = DateTimeOffset.MaxValue;
        await using var timeline = new Timeline(entry => DemoSession.Tell(call, ChaosReport.Line(entry, started)));
        DemoSession.Tell(call, ChaosReport.Head(seed, Version, bounds, rate));
        // With a majority rule, whoever is cut off lets go. Between two hosts that don't hear each other but both hear a third one of them may notice later than the
        // majority takes over: there the claim guard is needed, and it makes every takeover slower.
        await using var cluster = await DemoCluster.StartAsync(directory.Path, new(bounds.Hosts, rate, "quorum")
        {
            RealTime = state.IsRoot, Managers = bounds.Managers, KeepsJournals = bounds.Managers > 0, ClaimGuard = bounds.Kinds.Contains(FaultKind.Peer),
        }, cancellationToken);
        timeline.Watch(cluster);
        started = DateTimeOffset.UtcNow;
        timeline.Say($"{cluster.Hosts.Count} nodes, {cluster.Managers.Count} managers, {cluster.Addresses.Count} addresses, {plan.Count} faults to come");
        var run = new ChaosRun(cluster, timeline, plan, TimeSpan.FromMilliseconds(bounds.LengthMs), limits);
        var invariants = await run.RunAsync(call.Host.Environment(PlantVariable) == "stranger", cancellationToken);
        await timeline.StopAsync();
        var result = new ChaosResult(seed, Version, state.Id, state.Isolation, bounds, rate, plan, started, timeline.Entries, invariants,
            cluster.Ledger.Count(), cluster.Ledger.Twice(), cluster.Probe.Moves, run.FaultsDone, invariants.All(invariant => invariant.Holds != false));
        if (report.Length > 0)
            ChaosReport.Write(result, report, cluster);
        ChaosReport.Print(call, result, report);
        return result.Passed ? ExitCodes.Done : ExitCodes.Expectation;
    }

    private static string Version => typeof(ChaosCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    private static FaultKind[] Kinds(string? only)
    {
        if (only is null)
            return Usual;
        var kinds = new SortedSet<FaultKind>();
        foreach (var word in only.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            if (char.IsAsciiLetter(word[0]) && Enum.TryParse<FaultKind>(word, ignoreCase: true, out var kind))
                kinds.Add(kind);
            else
                throw new CliException(ExitCodes.Usage, $"--only: '{word}' is no fault.", $"Known: {string.Join(", ", Enum.GetNames<FaultKind>().Select(name => name.ToLowerInvariant()))}.");
        return kinds.Count > 0 ? [.. kinds] : throw new CliException(ExitCodes.Usage, "--only names no fault.");
    }

    private static (long FromMs, long ToMs) Between(string text)
    {
        var parts = text.Split("..");
        var (from, to) = (Ms(parts[0]), Ms(parts[^1]));
        return parts.Length <= 2 && from <= to ? (from, to) : throw new CliException(ExitCodes.Usage, $"--gap {text}: give two durations, the shorter first: 5s..30s.");

        static long Ms(string part) => part is "0" or "0s" ? 0 : (long)DemoCommand.Duration(part).TotalMilliseconds;
    }
}
