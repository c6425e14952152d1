using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.Cluster;
using Veredus.Control;
using Veredus.Duravip;

namespace Veredus.Node;

/// <summary>What a port of an address answered.</summary>
/// <param name="Listener">Kind of the listener, e.g. <c>esmtp</c>.</param>
/// <param name="Milliseconds">Until the first line, or until the failure.</param>
/// <param name="Answer">The first line, or what went wrong.</param>
public sealed record PortTest(int Port, string Listener, bool Ok, double Milliseconds, string Answer);

/// <summary>The answer to <c>cluster duravip test</c>.</summary>
public sealed record AddressTest(string Address, string From, string Owner, IReadOnlyList<PortTest> Ports);

/// <summary>The answer to <c>cluster duravip whatif</c>.</summary>
public sealed record WhatIf(IReadOnlyList<string> Down, IReadOnlyList<WhatIfMove> Moves, IReadOnlyList<string> OffPreferred);

/// <param name="To">Empty: nobody would have it.</param>
public sealed record WhatIfMove(string Address, string From, string To, string Rule);

/// <summary>A node's answer to <c>cluster on</c>.</summary>
/// <param name="State"><c>answered</c>, <c>pending</c> (no answer in time), <c>left</c> or <c>absent</c>.</param>
/// <param name="Code">As on the node's console; 0 is success.</param>
/// <param name="Lines">The body.</param>
public sealed record NodeReply(string Node, string State, int Code, string Text, IReadOnlyList<string> Lines);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, Converters = [typeof(UtcTime)])]
[JsonSerializable(typeof(AddressTest))]
[JsonSerializable(typeof(WhatIf))]
[JsonSerializable(typeof(IReadOnlyList<NodeReply>))]
[JsonSerializable(typeof(IReadOnlyList<NodeLine>))]
internal sealed partial class ClusterJson : JsonSerializerContext;

/// <summary>The console's commands about what happened, what would happen, and who is there.</summary>
internal sealed class HistoryConsole(ClusterService cluster)
{
    private const int DefaultLimit = 50;
    private static readonly TimeSpan TestLimit = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan DelegationLimit = TimeSpan.FromSeconds(10);
    private const int MaxWaitSeconds = 25;

    public IEnumerable<ControlCommand> Commands =>
    [
        new("cluster events", "[after ID] [since SECONDS] [kind K,K] [address A] [limit N] [wait SECONDS]", "placements, members, operators: the last ones, oldest first", EventsAsync) { HasJson = true },
        new("cluster duravip whatif", "NODE[,NODE]", "where addresses would go if these nodes went out; changes nothing", WhatIfAsync) { HasJson = true },
        new("cluster duravip test", "ADDRESS", "connects to each port that is served on an address, from here", TestAsync) { HasJson = true },
        new("cluster on", "NODE[,NODE]|all COMMAND", "gives a console command to other nodes and shows their answers", OnAsync) { HasJson = true },
        new("cluster nodes", "", "every node that is configured or in the view, and what it does", NodesAsync) { HasJson = true },
    ];

    private static ControlAnswer Alone => ControlAnswer.NotFound("this node has no DuraVIP: configure cluster { } and enable_duravip, then restart it");

    private async ValueTask<ControlAnswer> EventsAsync(ControlCall call, CancellationToken cancellationToken)
    {
        if (cluster.Events is not { } log)
            return Alone;
        var (after, limit, wait, since, kinds, address) = (0L, DefaultLimit, 0L, DateTimeOffset.MinValue, ClusterEvent.Kinds, "");
        for (var i = 0; i < call.Arguments.Count; i += 2)
        {
            var value = i + 1 < call.Arguments.Count ? call.Arguments[i + 1] : "";
            var number = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var read) ? read : -1;
            switch (call.Arguments[i])
            {
                case "after" when number >= 0:
                    after = number;
                    break;
                case "limit" when number is > 0 and <= 2 * EventLog.Kept:
                    limit = (int)number;
                    break;
                case "wait" when number is >= 0 and <= MaxWaitSeconds:
                    wait = number;
                    break;
                case "since" when number is >= 0 and < 1_000_000_000:
                    since = cluster.Time.GetUtcNow() - TimeSpan.FromSeconds(number);
                    break;
                case "kind" when value.Split(',') is var asked && asked.All(ClusterEvent.Kinds.Contains):
                    kinds = asked;
                    break;
                case "kind":
                    return ControlAnswer.Error(ControlErrors.Syntax, $"kind {value}: kinds are {string.Join(", ", ClusterEvent.Kinds)}");
                case "address" when VipAddress.TryParse(value, out var parsed):
                    address = parsed.ToString();
                    break;
                default:
                    return ControlAnswer.Usage(call.Command);
            }
        }
        if (wait > 0)
        {
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limited.CancelAfter(TimeSpan.FromSeconds(wait));
            await log.WaitAsync(after, limited.Token);
        }
        var last = log.Last;
        var found = log.Find(one => one.Id > after && one.At >= since && kinds.Contains(one.Kind) && (address.Length == 0 || one.Address == address), limit);
        return call.Json ? ControlAnswer.Body([EventJson.Serialize(new ClusterEvents(found, last))])
            : ControlAnswer.Body(found.Select(one => $"{one.At.UtcDateTime:yyyy-MM-dd HH:mm:ss.fff}Z  {one.Kind,-10}  {one.Text}"));
    }

    private async ValueTask<ControlAnswer> WhatIfAsync(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments is not [var text])
            return ControlAnswer.Usage(call.Command);
        if (cluster.Driver is not { } driver)
            return Alone;
        var down = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var (forecast, members) = await driver.QueryAsync((machine, now) =>
            (machine.WhatIfDown(down), machine.Describe(now).Members.Where(member => member.Role == MemberRole.Node).Select(member => member.Node).ToList()), cancellationToken);
        if (forecast is null)
            return ControlAnswer.Error(ControlErrors.Conflict, "no view is open; ask again when the node has joined");
        if (down.FirstOrDefault(node => !members.Contains(node)) is { } unknown || down.Length == 0)
            return ControlAnswer.NotFound($"{down.FirstOrDefault(node => !members.Contains(node)) ?? text} is not in the view ({string.Join(' ', members)})");
        if (!call.Json)
            return ControlAnswer.Body(Explainer.Text(forecast));
        var answer = new WhatIf(forecast.Down, [.. forecast.Moves.Select(move => new WhatIfMove(move.Address.ToString(), move.From, move.To, ReasonText.Of(move.Rule)))],
            [.. forecast.OffPreferred.Select(address => address.ToString())]);
        return ControlAnswer.Body([JsonSerializer.Serialize(answer, ClusterJson.Default.WhatIf)]);
    }

    private async ValueTask<ControlAnswer> TestAsync(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments is not [var text] || !VipAddress.TryParse(text, out var address))
            return ControlAnswer.Usage(call.Command);
        if (cluster.Driver is not { } driver)
            return Alone;
        if (await driver.QueryAsync((machine, now) => machine.Describe(address, now), cancellationToken) is not { } vip)
            return ControlAnswer.NotFound($"{text} is not a DuraVIP of this view");
        var here = address.ToIPAddress();
        var ports = cluster.Configuration.Listens.Where(listen => listen.Endpoint is { UnixPath: null, IsWildcard: false } endpoint && here.Equals(endpoint.Address))
            .Select(listen => (listen.Endpoint.Port, Kind: (listen.Scope.Parent?.Name ?? "").ToLowerInvariant().Replace("_listener", "", StringComparison.Ordinal))).Distinct();
        var results = await Task.WhenAll(ports.Select(port => ConnectAsync(here, port.Port, port.Kind, cancellationToken)));
        var test = new AddressTest(address.ToString(), ClusterConfiguration.NodeName(cluster.Configuration), vip.Owner, [.. results.OrderBy(result => result.Port)]);
        if (call.Json)
            return ControlAnswer.Body([JsonSerializer.Serialize(test, ClusterJson.Default.AddressTest)]);
        return ControlAnswer.Body(test.Ports.Count == 0 ? [$"{address} has no listener: it is {(vip.Owner.Length > 0 ? $"on {vip.Owner}" : "on no node")} and only sends"]
            : test.Ports.Select(port => string.Create(CultureInfo.InvariantCulture, $"{(port.Ok ? "ok" : "x ")}  {address} port {port.Port} ({port.Listener})  {port.Milliseconds:0.0} ms  {port.Answer}")));
    }

    private static async Task<PortTest> ConnectAsync(IPAddress address, int port, string kind, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        var (ok, answer) = (false, "");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TestLimit);
        try
        {
            using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(new IPEndPoint(address, port), limit.Token);
            if (kind == "esmtp")
            {
                var buffer = new byte[512];
                var count = await socket.ReceiveAsync(buffer, limit.Token);
                answer = Encoding.ASCII.GetString(buffer, 0, count).TrimEnd();
                ok = answer.StartsWith("220", StringComparison.Ordinal);
                // An end in good order: the session is counted as one that said goodbye.
                await socket.SendAsync("QUIT\r\n"u8.ToArray(), limit.Token);
            }
            else
            {
                (ok, answer) = (true, "connected");
            }
        }
        catch (SocketException exception)
        {
            answer = exception.Message;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            answer = $"no answer within {TestLimit.TotalSeconds:0} s";
        }
        return new(port, kind, ok, Stopwatch.GetElapsedTime(start).TotalMilliseconds, answer);
    }

    private async ValueTask<ControlAnswer> OnAsync(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments.Count < 2)
            return ControlAnswer.Usage(call.Command);
        if (cluster.Network?.Group is not { } group)
            return Alone;
        try
        {
            var target = call.Arguments[0] == "all" ? DelegationTarget.All : new DelegationTarget.Nodes(call.Arguments[0].Split(',', StringSplitOptions.RemoveEmptyEntries));
            var answers = await group.Delegation.RunToEndAsync(target, call.RestFrom(1), new(call.Session.User, call.Session.DelegatedRoles ?? (call.Session.Role.Length > 0 ? [call.Session.Role] : [])), DelegationLimit, cancellationToken);
            NodeReply[] replies = [.. answers.Select(answer => new NodeReply(answer.Node, answer.State.ToString().ToLowerInvariant(), answer.Code, answer.Text, [.. answer.Lines]))];
            if (call.Json)
                return ControlAnswer.Body([JsonSerializer.Serialize(replies, ClusterJson.Default.IReadOnlyListNodeReply)]);
            var lines = replies.SelectMany(reply => new[] { $"=== {reply.Node} {(reply.State == "answered" ? $"rc={reply.Code}" : reply.State)} {reply.Text}".TrimEnd() }.Concat(reply.Lines));
            return replies.All(reply => reply is { State: "answered", Code: 0 }) ? ControlAnswer.Body(lines)
                : replies.FirstOrDefault(reply => reply is { State: "answered", Code: not 0 }) is { } refused ? ControlAnswer.Error(refused.Code, $"{refused.Node}: {refused.Text}", lines)
                : ControlAnswer.Error(ControlErrors.Incomplete, $"no answer: {string.Join(", ", replies.Where(reply => reply.State != "answered").Select(reply => reply.Node))}", lines);
        }
        catch (DelegationException exception)
        {
            return ControlAnswer.Error(ControlErrors.Conflict, exception.Message);
        }
    }

    private async ValueTask<ControlAnswer> NodesAsync(ControlCall call, CancellationToken cancellationToken)
    {
        if (cluster.Driver is not { } driver)
            return Alone;
        var view = await driver.QueryAsync((machine, now) => machine.Describe(now), cancellationToken);
        var nodes = NodeLine.From(view, driver.Membership, cluster.Peers, cluster.Observer!, ClusterConfiguration.NodeName(cluster.Configuration));
        return call.Json ? ControlAnswer.Body([JsonSerializer.Serialize(nodes, ClusterJson.Default.IReadOnlyListNodeLine)])
            : ControlAnswer.Body(nodes.Select(node => $"{node.Node}  {node.State}  {node.Addresses} addresses  {node.Version}  {node.Why}".TrimEnd()));
    }
}
