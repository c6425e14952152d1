using System.CommandLine;
using System.Globalization;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Node;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>What happened: placements, members that came and went, operators' acts, warnings.</summary>
internal static class EventsCommand
{
    private static readonly Option<bool> Follow = new("--follow", "-f") { Description = "Go on with what happens from now on" };
    private static readonly Option<string?> Since = new("--since") { Description = "How far back, e.g. 10m, 2h, 1d", HelpName = "TIME" };
    private static readonly Option<string?> Kind = new("--kind") { Description = "placement, membership, operator, warning; several with commas", HelpName = "KIND" };

    public static Command Build(CliHost host) => CommandTree.Leaf(host, "events", "What happened: placements, members, operators, warnings",
        ["veredus events", "veredus events --since 1h --kind placement,membership", "veredus events --follow --json"], RunAsync, Follow, Since, Kind, GlobalOptions.Limit, GlobalOptions.All);

    private static async Task<int> RunAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var filter = (call.Parse.GetValue(Kind) is { } kind ? $" kind {CommandWords.Quote(kind)}" : "")
            + (call.Parse.GetValue(Since) is { } since ? string.Create(CultureInfo.InvariantCulture, $" since {(long)Duration.Parse(since, "--since").TotalSeconds}") : "");
        var limit = call.Parse.GetValue(GlobalOptions.All) || call.Parse.GetValue(Since) is not null ? 2 * EventLog.Kept : Math.Clamp(call.Parse.GetValue(GlobalOptions.Limit), 1, 2 * EventLog.Kept);
        var first = await ClusterAnswers.AskAsync<ClusterEvents>(call, client, $"cluster events limit {limit}{filter}", cancellationToken);
        if (!call.Parse.GetValue(Follow))
        {
            if (call.IsJson)
                call.Json("veredus.events/1", client.HostName, ClusterAnswers.Serialize(first));
            else
                foreach (var one in first.Events)
                    Print(call, one);
            if (!call.IsJson && first.Events.Count == 0)
                call.Error.Line("nothing has happened that was asked for");
            return ExitCodes.Done;
        }
        await FollowAsync(call, client, first, filter, cancellationToken);
        return ExitCodes.Interrupted;
    }

    private static async Task FollowAsync(Call call, ControlClient client, ClusterEvents shown, string filter, CancellationToken cancellationToken)
    {
        while (true)
        {
            foreach (var one in shown.Events)
            {
                if (call.IsJson)
                    call.Json("veredus.event/1", client.HostName, EventJson.Serialize(one));
                else
                    Print(call, one);
            }
            await call.Host.Out.FlushAsync(cancellationToken);
            shown = await ClusterAnswers.AskAsync<ClusterEvents>(call, client, string.Create(CultureInfo.InvariantCulture, $"cluster events after {shown.Last} limit {2 * EventLog.Kept} wait 20{filter}"), cancellationToken);
        }
    }

    private static void Print(Call call, ClusterEvent one)
    {
        var tone = one.Kind switch { ClusterEvent.Warning => Tone.Warning, ClusterEvent.Operator => Tone.Strong, _ => Tone.Plain };
        var by = one is { Kind: ClusterEvent.Operator, By: { } user } ? $"  [{user}{(one.Why is { } why ? $": {why}" : "")}]" : "";
        call.Out.Line($"{Time(one.At)}  {one.Kind,-10}  {one.Text}{by}", tone);
    }

    public static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
