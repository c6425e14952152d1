using System.Globalization;
using Veredus.Configuration;
using Veredus.Control;
using Veredus.Duravip;

namespace Veredus.Node;

/// <summary>The console's <c>cluster</c> commands (duravip.md 6, cluster.md).</summary>
internal sealed class ClusterConsole(ClusterService cluster)
{
    private const long MaxPinSeconds = 365 * 86400;

    public IEnumerable<ControlCommand> Commands =>
    [
        .. new Moves.MoveConsole(cluster).Commands,
        .. new Moves.ClusterViews(cluster).Commands,
        .. new HistoryConsole(cluster).Commands,
        new("cluster duravip show", "[address]", "virtual addresses: owner, participants, state", ShowAsync) { HasJson = true },
        new("cluster duravip explain", "ADDRESS", "why an address is where it is", ExplainAsync) { HasJson = true },
        new("cluster duravip move", "VIP|BINDING to NODE [for SECONDS] [because REASON] | FROM TO", "moves and pins an address, or all that one node has", (call, stop) => call.Arguments switch
        {
            [var target, "to", var node, ..] when ReadTail([.. call.Arguments.Skip(3)]) is (var pin, var why) => AskAsync(new MoveCommand(target, node) { By = By(call), PinMs = pin, Why = why }, stop),
            [var from, var to] => AskAsync(new EvacuateCommand(from, to) { By = By(call) }, stop),
            _ => new(ControlAnswer.Usage(call.Command)),
        }),
        new("cluster duravip unpin", "VIP|all", "lets preference and balancing have an address again", (call, stop) => call.Arguments is [var target]
            ? AskAsync(new UnpinCommand(target == "all" ? null : target) { By = By(call) }, stop) : new(ControlAnswer.Usage(call.Command))),
        new("cluster duravip announce view", "", "tells the others anew what this node has", (call, stop) => AskAsync(new AnnounceCommand { By = By(call) }, stop)),
        new("cluster duravip balance", "", "a balancing round now", (call, stop) => AskAsync(new BalanceCommand { By = By(call) }, stop)),
        new("cluster duravip drain", "[because REASON]", "gives all addresses away and takes none", (call, stop) => ReadTail(call.Arguments) is (0, var why)
            ? AskAsync(new DrainCommand(true) { By = By(call), Why = why }, stop) : new(ControlAnswer.Usage(call.Command))),
        new("cluster duravip undrain", "", "takes part again", (call, stop) => AskAsync(new DrainCommand(false) { By = By(call) }, stop)),
        new("cluster duravip debug", "on|off", "every message and step in the paniclog", (call, stop) => call.Arguments is ["on" or "off"]
            ? AskAsync(new DebugCommand(call.Arguments[0] == "on") { By = By(call) }, stop) : new(ControlAnswer.Usage(call.Command))),
        new("cluster reset", "", "drops all addresses and joins anew", (call, stop) => AskAsync(new ResetCommand { By = By(call) }, stop)),
        new("cluster arp show", "", "neighbours that the nodes know", ArpAsync),
        new("cluster membership", "", "who is in the cluster", (_, _) => cluster.Membership is { } members ? new(ControlAnswer.Body(members.Render())) : Alone()),
        new("cluster info", "", "bus, groups, leader", (_, _) => cluster.Driver is { } driver ? new(ControlAnswer.Body(driver.Membership.RenderInfo(
            cluster.HasBus ? "corosync" : "in-process", cluster.Configuration.Get(ScopeKinds.Cluster, Options.ControlGroup),
            cluster.Configuration.Get(ScopeKinds.Cluster, Options.ClusterGroup), cluster.Configuration.Get(ScopeKinds.Cluster, Options.LogGroup)))) : Alone()),
        new("cluster nodename", "", "this node's name", (_, _) => new(ControlAnswer.Ok(ClusterConfiguration.NodeName(cluster.Configuration)))),
        new("cluster nodeaddr", "", "this node's address in the cluster's network", (_, _) =>
            new(ControlAnswer.Ok(cluster.Configuration.Get(ScopeKinds.Cluster, Options.Nodeaddr) ?? "unset"))),
    ];

    /// <summary><c>[for SECONDS] [because REASON]</c>; <see langword="null"/> for anything else.</summary>
    private static (long PinMs, string Why)? ReadTail(IReadOnlyList<string> words)
    {
        var (pin, why, at) = (0L, "", 0);
        if (at + 1 < words.Count && words[at] == "for")
        {
            if (!long.TryParse(words[at + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || seconds is 0 or > MaxPinSeconds)
                return null;
            (pin, at) = (seconds * 1000, at + 2);
        }
        if (at + 1 < words.Count && words[at] == "because")
            (why, at) = (string.Join(' ', words.Skip(at + 1)), words.Count);
        return at == words.Count ? (pin, why) : null;
    }

    private static string By(ControlCall call) => call.Session.User;

    private static ValueTask<ControlAnswer> Alone() => new(ControlAnswer.NotFound("this node has no DuraVIP: configure cluster { } and enable_duravip, then restart it"));

    private async ValueTask<ControlAnswer> AskAsync(OperatorCommand command, CancellationToken cancellationToken)
    {
        if (cluster.Driver is not { } driver)
            return await Alone();
        var (ok, text) = await driver.AskAsync(command, cancellationToken);
        return ok ? ControlAnswer.Ok(text) : ControlAnswer.Error(ControlErrors.Conflict, text);
    }

    private async ValueTask<ControlAnswer> ShowAsync(ControlCall call, CancellationToken cancellationToken)
    {
        if (cluster.Driver is not { } driver)
            return await Alone();
        var view = await driver.QueryAsync((machine, now) => machine.Describe(now), cancellationToken);
        if (call.Arguments is [var text, ..])
        {
            if (!VipAddress.TryParse(text, out var address) || view.Vips.All(vip => vip.Address != address))
                return ControlAnswer.NotFound($"{text} is not a DuraVIP of this view");
            view = view with { Vips = [.. view.Vips.Where(vip => vip.Address == address)] };
        }
        return ControlAnswer.Body(call.Json ? ShowReport.Json(view) : ShowReport.Text(view));
    }

    private async ValueTask<ControlAnswer> ExplainAsync(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments is not [var text] || !VipAddress.TryParse(text, out var address))
            return ControlAnswer.Usage(call.Command);
        if (cluster.Driver is not { } driver)
            return await Alone();
        var explanation = await driver.QueryAsync((machine, now) => machine.Explain(address, now), cancellationToken);
        if (explanation is null)
            return ControlAnswer.NotFound($"{text} is not a DuraVIP of this view");
        var placed = cluster.Events?.Find(happened => happened.Address == address.ToString(), 1) is [var newest] ? newest : null;
        TimedStep[]? steps = placed?.To == explanation.Owner && placed.Steps is { } known ? [.. known.Select(step => new TimedStep(step.At, step.Text))] : null;
        return ControlAnswer.Body(call.Json ? Explainer.Json(explanation, steps) : Explainer.Text(explanation, steps));
    }

    private async ValueTask<ControlAnswer> ArpAsync(ControlCall call, CancellationToken cancellationToken) => cluster.Driver is { } driver
        ? ControlAnswer.Body(await driver.QueryAsync((machine, now) => machine.Neighbours.Show(now), cancellationToken))
        : await Alone();
}
