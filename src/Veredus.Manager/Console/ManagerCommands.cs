using System.Globalization;
using System.Text;
using System.Text.Json;
using Veredus.Cluster;
using Veredus.Control;
using Veredus.Node;

namespace Veredus.Manager;

/// <summary>The manager's own console commands (cluster.md 10).</summary>
internal sealed class ManagerCommands(VeredusManager manager, Delegating delegating)
{
    public IEnumerable<ControlCommand> Commands =>
    [
        delegating.Command,
        new("broadcast", "COMMAND", "gives a command to all nodes and prints their answers", (call, stop) =>
            delegating.RunAsync(call, DelegationTarget.All, call.Rest, Delegating.DefaultWait, stop)) { HasJson = true },
        new("subcluster broadcast", "SUBCLUSTER COMMAND", "the same for the nodes of a subcluster", (call, stop) => call.Arguments.Count < 2 ? new(ControlAnswer.Usage(call.Command))
            : delegating.RunAsync(call, new DelegationTarget.OfSubcluster(call.Arguments[0].ToLowerInvariant()), call.RestFrom(1), Delegating.DefaultWait, stop)) { HasJson = true },
        new("unicast", "NODE COMMAND", "the same for one node", (call, stop) => call.Arguments.Count < 2 ? new(ControlAnswer.Usage(call.Command))
            : delegating.RunAsync(call, DelegationTarget.Node(call.Arguments[0]), call.RestFrom(1), Delegating.DefaultWait, stop)) { HasJson = true },
        new("retrieve", "COMMAND", "the answers to a command given before, by whichever manager", (call, _) => Retrieve(call, call.Rest, null, null)) { HasJson = true },
        new("subcluster retrieve", "SUBCLUSTER COMMAND", "those of a subcluster", (call, _) => call.Arguments.Count < 2 ? new(ControlAnswer.Usage(call.Command))
            : Retrieve(call, call.RestFrom(1), call.Arguments[0].ToLowerInvariant(), null)) { HasJson = true },
        new("retrieve_node", "NODE COMMAND", "one node's", (call, _) => call.Arguments.Count < 2 ? new(ControlAnswer.Usage(call.Command))
            : Retrieve(call, call.RestFrom(1), null, call.Arguments[0])) { HasJson = true },
        new("flush control cache", "", "forgets all answers, and the nodes that have left", (_, _) => Flush()),
        new("show cluster membership", "", "nodes and managers of the cluster", (call, _) => new(ControlAnswer.Body(call.Json ? Json(manager.Group.Membership) : manager.Group.Membership.Render()))) { HasJson = true },
        new("info", "", "bus, groups, this manager", (call, _) => new(call.Json ? ControlAnswer.Body(JsonInfo()) : ControlAnswer.Body(Info()))) { HasJson = true },
    ];

    /// <summary>For a line that is a node's command.</summary>
    public static string? Unknown(string line) => line.Split(' ', 2)[0].ToLowerInvariant() switch
    {
        "cluster" when line.StartsWith("cluster duravip move", StringComparison.OrdinalIgnoreCase) => $"a move must be made on all nodes together. Use: broadcast {line}",
        "cluster" or "mailq" or "summary" or "binding" or "domain" or "domains" or "message" or "flush" or "fail" or "rebind" or "reroute" or "refresh"
            or "active" or "delayed" or "spool" or "spool_in" or "showqueue" or "dig" or "trace" or "tls" => $"'{line.Split(' ', 2)[0]}' is a command of nodes. Use: broadcast {line}, or: unicast NODE {line}",
        _ => null,
    };

    private ValueTask<ControlAnswer> Retrieve(ControlCall call, string command, string? subcluster, string? node)
    {
        if (command.Length == 0)
            return new(ControlAnswer.Usage(call.Command));
        var now = manager.Time.GetUtcNow();
        var found = manager.Cache.Find(command);
        if (found.Count == 0)
            return new(ControlAnswer.NotFound($"no such command: '{command}' was given to no node within the last {ControlCache.MaxAge.TotalMinutes:0} minutes, or its answers were flushed"));
        found = [.. found.Where(entry => (subcluster is null || entry.Subcluster == subcluster) && (node is null || entry.Answer.Node == node))];
        if (found.Count == 0)
            return new(ControlAnswer.NotFound($"{node ?? subcluster} was not asked for '{command}'"));
        return new(call.Json
            ? ControlAnswer.Body(new DelegationReport(command, default, [.. found.Select(entry => new TimedAnswer(entry.Answer, now - entry.Time))]).Json())
            : ControlAnswer.Body(Lines()));

        IEnumerable<string> Lines()
        {
            foreach (var (answer, age) in found.Select(entry => (entry.Answer, now - entry.Time)))
            {
                yield return answer.State is AnswerState.Answered
                    ? string.Create(CultureInfo.InvariantCulture, $"=== {answer.Node} rc={answer.Code} age={age.TotalSeconds:0}s")
                    : $"=== {answer.Node} {answer.State.ToString().ToLowerInvariant()}";
                foreach (var line in answer.Lines)
                    yield return line;
                if (answer.Text.Length > 0)
                    yield return answer.Text;
            }
        }
    }

    private ValueTask<ControlAnswer> Flush()
    {
        manager.Group.Delegation.ForgetAbsent();
        return new(ControlAnswer.Ok(string.Create(CultureInfo.InvariantCulture, $"{manager.Cache.Flush()} answers forgotten")));
    }

    private string Info() => manager.Group.Membership.RenderInfo(manager.Group.HasBus ? "corosync" : "in-process", manager.Group.Link.Settings.Groups[0], manager.ClusterGroupName, null)
        + string.Create(CultureInfo.InvariantCulture, $"""
            Manager: {manager.Group.NodeName}
            Nodes: {string.Join(' ', Delegating.Names(manager.Group.Delegation))}
            Control Cache: {manager.Cache.All().Count} answers, {manager.Cache.Bytes} bytes
            Started: {manager.Started:yyyy-MM-dd'T'HH:mm:ss'Z'}

            """);

    private string JsonInfo() => Write(json =>
    {
        json.WriteString("manager", manager.Group.NodeName);
        json.WriteBoolean("bus", manager.Group.HasBus);
        json.WriteString("controlGroup", manager.Group.Link.Settings.Groups[0]);
        json.WriteString("leader", manager.Group.Membership.Leader?.Hello?.NodeName);
        json.WriteNumber("cachedAnswers", manager.Cache.All().Count);
        json.WriteNumber("cachedBytes", manager.Cache.Bytes);
        json.WriteString("started", manager.Started);
        json.WriteStartArray("nodes");
        foreach (var node in Delegating.Names(manager.Group.Delegation))
            json.WriteStringValue(node);
        json.WriteEndArray();
    });

    private static string Json(ClusterMembership membership) => Write(json =>
    {
        json.WriteStartArray("members");
        foreach (var member in membership.Members)
        {
            if (member.Hello is not { } hello)
                continue;
            json.WriteStartObject();
            json.WriteString("privateName", member.PrivateName);
            json.WriteString("node", hello.NodeName);
            json.WriteString("subcluster", hello.Subcluster);
            json.WriteString("type", hello.Kind.ToString().ToLowerInvariant());
            json.WriteString("version", hello.Version);
            json.WriteString("address", hello.Address.ToString());
            json.WriteString("incarnation", hello.Incarnation.ToString());
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });

    private static string Write(Action<Utf8JsonWriter> members)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
