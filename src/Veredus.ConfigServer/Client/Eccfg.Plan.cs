using System.Text.Json;

namespace Veredus.ConfigServer;

public sealed partial class Eccfg
{
    private IReadOnlyCollection<string> Without => [.. (_arguments["without"] ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];

    /// <summary>What a commit would do on every node; nothing is committed.</summary>
    private async Task<int> PlanAsync(CancellationToken cancellationToken)
    {
        var boot = Boot();
        var plans = new List<PlanSummary>();
        await RetryAsync(() => Access(boot).WithMasterAsync(boot.ClusterName, (remote, client) =>
            _copy.CommitAsync(remote, Author(boot) with { Message = "plan" }, _ => true, cancellationToken, async (part, commit) =>
            {
                plans.Add(await AskNodesAsync(remote, client, part, commit, cancellationToken));
                return false;
            }), cancellationToken), cancellationToken);
        if (_host.Json is { } json)
            json("veredus.config.plan/1", plans.Count == 0 ? "{\"plans\":[]}" : $"{{\"plans\":[{string.Join(',', plans.Select(plan => JsonSerializer.Serialize(plan, PlanJson.Default.PlanSummary)))}]}}");
        else if (plans.Count == 0)
            Say("Nothing to commit");
        foreach (var plan in _host.Json is null ? plans : [])
            Print(plan);
        return plans.Any(plan => plan.Nodes.Any(node => node.State == "refuses")) ? EccfgExit.Failed : plans.Any(plan => plan.InTheWay(Without).Count > 0) ? EccfgExit.Pending : EccfgExit.Done;
    }

    /// <summary>Before a commit: a node that could not load it stops it; a node that is silent stops it too, where the caller wants certainty.</summary>
    private async Task<bool> ReviewAsync(Remote remote, ConfigClient client, WorkingCopy.TreePart part, CommitId commit, CancellationToken cancellationToken)
    {
        var plan = await AskNodesAsync(remote, client, part, commit, cancellationToken);
        var inTheWay = plan.InTheWay(Without);
        foreach (var silent in inTheWay.Where(node => node.State == "silent" && !_host.IsStrict))
            _host.Error.WriteLine($"{silent.Node} was not asked: {string.Join(' ', silent.Why)}");
        inTheWay = [.. inTheWay.Where(node => node.State == "refuses" || _host.IsStrict)];
        return inTheWay.Count == 0 ? true : throw new EccfgException(
            $"nothing was committed; {(inTheWay.Count == 1 ? "a node" : $"{inTheWay.Count} nodes")} could not load it, or did not say:\n"
            + string.Join('\n', inTheWay.SelectMany(node => node.Why.Select(why => $"  {node.Node}: {why.ReplaceLineEndings("\n    ")}"))) + $"\nLeave them behind with --without {string.Join(',', inTheWay.Select(node => node.Node))}.");
    }

    private async Task<PlanSummary> AskNodesAsync(Remote remote, ConfigClient client, WorkingCopy.TreePart part, CommitId commit, CancellationToken cancellationToken)
    {
        await remote.OfferAsync(part.Repository, part.Name, commit, cancellationToken);
        var before = _copy.RequireMarker();
        // The node of this host is one of those who are asked, and needs the working copy to itself meanwhile.
        _lock?.Dispose();
        var server = remote.Elsewhere.TryGetValue(part.Name, out var other) ? other.Client : client;
        var answers = await server.PlanAsync(part.Name, commit, cancellationToken);
        _lock = await HostLock.TakeAsync(_etc, s_retry, _host.Time, cancellationToken);
        var now = _copy.RequireMarker();
        return (now.Base, now.GlobalBase) == (before.Base, before.GlobalBase) ? PlanSummary.Of(answers.Nodes)
            : throw new EccfgException(EccfgExit.Conflict, "a new revision came while the nodes were asked; look at it and try again");
    }

    private void Print(PlanSummary plan)
    {
        var output = _host.Out;
        if (plan.Nodes.Count == 0)
            output.WriteLine("no node follows this subcluster over the bus: nobody was asked");
        else
            output.WriteLine("  " + string.Join("   ", plan.Nodes.Select(node => $"{node.Node} {(node.State switch { "loads" => "ok", "refuses" => "can't load it", _ => "not reached" })}")));
        foreach (var node in plan.Nodes.Where(node => node.State == "refuses"))
            foreach (var why in node.Why)
                output.WriteLine($"x {node.Node}: {why.ReplaceLineEndings("\n    ")}");
        Section("", plan.Options);
        Section("listener ", plan.Listeners);
        Section("binding ", plan.Bindings);
        Section("address comes: ", plan.Gained);
        Section("address goes: ", plan.Lost);
        foreach (var move in plan.Moved)
            output.WriteLine($"  address moves: {move}");
        foreach (var mark in plan.Marks)
            output.WriteLine($"! {mark}");
        foreach (var mark in plan.Cleared)
            output.WriteLine($"  no longer: {mark}");
        Section("restart needed for ", plan.Restart);
        string[] nothing = [.. new[] { plan.Listeners.Count == 0 ? "no listener reopened" : "", plan.Gained.Count + plan.Lost.Count + plan.Moved.Count == 0 ? "no address moves" : "", plan.Restart.Count == 0 ? "no restart needed" : "" }.Where(text => text.Length > 0)];
        if (nothing.Length > 0 && plan.Nodes.Any(node => node.State == "loads"))
            output.WriteLine("  " + string.Join(", ", nothing));

        void Section(string title, IReadOnlyList<OnNodes> items)
        {
            foreach (var item in items)
                output.WriteLine($"  {title}{item.What}   on {(item.Nodes.Count <= 3 ? string.Join(' ', item.Nodes) : $"{item.Nodes.Count} nodes")}");
        }
    }
}
