using System.Globalization;
using Veredus.Configuration;
using Veredus.Moves;
using Veredus.Spool;

namespace Veredus.Node.Moves;

/// <summary>What one node knows of a message.</summary>
/// <param name="State">waiting, delivering, moving, gone (handed over), ended (delivered, bounced or purged after it came from another node).</param>
/// <param name="Source">The address that it leaves from, as this node's configuration says; empty: the system's choice.</param>
/// <param name="Owner">The node that owns its binding's address; empty: nobody, or the binding has a static one.</param>
/// <param name="OtherNode">Where it is handed to, or went.</param>
/// <param name="Why">What holds it, in words.</param>
/// <param name="Next">What happens next, in words.</param>
/// <param name="Accepted">The node that took it in from outside.</param>
public sealed record MessagePlace(
    string Node, string Id, string State, string Group, string Binding, string Domain, string Source, string Owner, string OtherNode, string Why, string Next,
    int Attempts, int LastCode, DateTimeOffset? Received, DateTimeOffset? At, string Accepted, uint Moves, string Sender, string Recipient, long Size)
{
    /// <summary>Attempts from this node, the oldest first; <see langword="null"/>: not asked for.</summary>
    public IReadOnlyList<MessageAttempt>? History { get; init; }

    /// <summary>This node's main log says nothing that is older; <see langword="null"/>: not asked for, or it has none that can be read.</summary>
    public DateTimeOffset? HistoryBeginsAt { get; init; }

    public const string Waiting = "waiting", Delivering = "delivering", Moving = "moving", Gone = "gone", Ended = "ended";

    /// <summary>The message itself is here, not only its trace.</summary>
    public bool IsHere => State is Waiting or Delivering or Moving;

    /// <summary>Looks on this node; <see langword="null"/>: it knows nothing of it.</summary>
    internal static MessagePlace? Find(ClusterService cluster, VeredusNode node, MessageId id)
    {
        var name = ClusterConfiguration.NodeName(node.Configuration.Current);
        return node.Delivery.Message(id) is { } details ? Here(cluster, node, name, id, details) : cluster.Moves?.Trace(id) is { } entry ? Trace(name, id, entry) : null;
    }

    /// <summary>The same with its attempts from this node. Reads its main log: not for a thread that others wait for.</summary>
    internal static MessagePlace? FindWithHistory(ClusterService cluster, VeredusNode node, MessageId id)
    {
        if (Find(cluster, node, id) is not { } place)
            return null;
        var last = place.IsHere && node.Spool.TryFind(id, out var stored) ? stored.LastAttempt : null;
        var history = AttemptHistory.Read(node, place.Node, id, place.Received ?? DateTimeOffset.UnixEpoch, last);
        return place with { History = history.Attempts, HistoryBeginsAt = history.BeginsAt };
    }

    private static MessagePlace Trace(string name, MessageId id, LedgerEntry entry)
    {
        var at = DateTimeOffset.FromUnixTimeMilliseconds(entry.AtMs);
        return entry.State is LedgerState.Gone
            ? new(name, id.ToString(), Gone, "", "", "", "", "", entry.Node, $"handed to {entry.Node}", "", 0, 0, null, at, "", entry.Generation, "", "", 0)
            : new(name, id.ToString(), Ended, "", "", "", "", "", "", "it ended here: its mainlog says how", "", 0, 0, null, at, "", entry.Generation, "", "", 0);
    }

    private static MessagePlace Here(ClusterService cluster, VeredusNode node, string name, MessageId id, Delivery.Control.MessageDetails details)
    {
        var (envelope, places) = (details.Envelope, cluster.Places);
        var move = node.Delivery.Move(id);
        var (group, binding) = (envelope.BindingGroup, envelope.Binding);
        var isHere = places.IsHere(group, binding);
        var owner = places.Owner(binding) ?? "";
        var address = node.Configuration.Current.Sending(group, binding, details.Domain).Get(Options.BindAddress).Address?.ToString() ?? "";
        var attempt = details.Retries + 1;
        var state = move?.Target is not null ? Moving : details.Place == "in delivery" ? Delivering : Waiting;
        var (why, next) = move switch
        {
            { DoubtNode: { } doubt } => ($"{doubt} was given it and has not answered: it may have it as well", $"{doubt} is asked again; if it stays away, the mail goes on after {MoveRules.DoubtMs / 1000} s and is reported as in doubt"),
            { Target: { } target, NotBefore: { } pause } => ($"{target}, which owns {binding}, would not take it", $"offered to {target} again at {Time(pause)}"),
            { Target: { } target } when cluster.Moves?.Targets.FirstOrDefault(one => one.Node == target) is { LastError.Length: > 0 } line =>
                ($"{target}, which owns {binding}, cannot be reached: {line.LastError}", $"tried again {(line.NextTry is { } at ? "at " + Time(at) : "at once")}"),
            { Target: { } target } => ($"{target} owns {binding}", $"handed to {target}, where it is tried {(move.NextTry is { } at ? "at " + Time(at) : "at once")}"),
            { NotBefore: { } held } => ($"it came over more than {MoveRules.MaxHops} nodes: they disagree about who owns {binding}", $"goes on at {Time(held)}"),
            _ when !isHere && owner.Length == 0 => ($"nobody owns the address of {binding}", "waits until somebody does; it is not bounced for that, but expires as any other"),
            _ when !isHere => ($"{owner} owns {binding}, and mail cannot be handed to it now", "waits until it can"),
            _ when state == Delivering => ($"attempt {attempt} is under way", "its outcome is logged"),
            _ when details.NextAttempt is { } at => (details.LastCode > 0 ? $"the last attempt was answered {details.LastCode}" : "it waits for its time", $"attempt {attempt} at {Time(at)}"),
            _ => ("it is due: it waits for a connection or for a limit of its queue (veredus queue show)", $"attempt {attempt} as soon as there is one"),
        };
        return new(name, id.ToString(), state, group, binding, move?.Domain ?? details.Domain, address, owner, move?.Target ?? "", why, next, details.Retries, details.LastCode, envelope.Received,
            details.NextAttempt, envelope.Transfer?.Origin ?? name, envelope.Transfer?.Generation ?? 0, envelope.Sender, envelope.Recipient, details.Stored.Size);
    }

    /// <summary>For people: where it is, why there, what holds it and what comes next; what other nodes remember follows.</summary>
    internal static IEnumerable<string> Explain(string id, IReadOnlyList<MessagePlace> places, IReadOnlyList<string> missing)
    {
        var here = places.Where(place => place.IsHere).ToList();
        if (here.Count == 0 && places.Count == 0)
            yield return $"{id} is on none of the nodes that answered; their mainlogs say what became of it (grep for the ID, or veredus log grep).";
        foreach (var place in here)
        {
            yield return $"{id} is on {place.Node}, {place.State}{(place.Source.Length > 0 ? $", from {place.Source}" : "")} to {place.Domain}.";
            yield return $"  message    <{place.Sender}> to <{place.Recipient}>, {place.Size} octets, {(place.Received is { } at ? $"accepted {Time(at)} by {place.Accepted}" : "")}{(place.Moves > 0 ? $", moved {place.Moves} times" : "")}";
            yield return $"  why there  {(place.Owner == place.Node ? $"{place.Node} owns {place.Source}, the address of binding {place.Binding}" : place.Owner.Length > 0 ? $"{place.Owner} owns binding {place.Binding}; it has not got there yet" : $"binding {place.Binding} has a static address or none")}";
            yield return $"  holds it   {place.Why}";
            yield return $"  next       {place.Next}";
        }
        foreach (var line in Told(places))
            yield return line;
        foreach (var line in Gaps(here, places))
            yield return line;
        if (here.Count > 1)
            yield return $"! {here.Count} nodes have a copy: one of them ends when they meet at the owner of the binding (cluster moves)";
        if (missing.Count > 0)
            yield return $"! no answer: {string.Join(", ", missing)}";
    }

    /// <summary>Attempts and hand-overs by time. Logs tell whole seconds: what a node tried comes before it gave the message away, what others tried after.</summary>
    private static IEnumerable<string> Told(IReadOnlyList<MessagePlace> places)
    {
        var moves = places.Where(place => !place.IsHere).Select(place => (Second: place.At?.ToUnixTimeSeconds() ?? 0, Rank: 0, Number: 0, place.Node, Text: place.Why)).ToList();
        var attempts = places.SelectMany(place => place.History ?? []).Select(attempt => (Second: attempt.At.ToUnixTimeSeconds(),
            Rank: moves.Exists(move => move.Node == attempt.Node && move.Second == attempt.At.ToUnixTimeSeconds()) ? -1 : 1, attempt.Number, attempt.Node, attempt.Text));
        return moves.Concat(attempts).OrderBy(line => (line.Second, line.Rank, line.Number))
            .Select(line => $"  {(line.Second == 0 ? "" : Time(DateTimeOffset.FromUnixTimeSeconds(line.Second))),-20}  {line.Node}  {line.Text}");
    }

    /// <summary>Attempts that no log tells of any more, and where the logs begin.</summary>
    private static IEnumerable<string> Gaps(List<MessagePlace> here, IReadOnlyList<MessagePlace> places)
    {
        if (here.Count == 0 || places.All(place => place.History is null))
            yield break;
        var known = places.SelectMany(place => place.History ?? []).Where(attempt => attempt.Domain.Length > 0).Select(attempt => attempt.Number).ToHashSet();
        var missing = Enumerable.Range(1, here.Max(place => place.Attempts)).Where(number => !known.Contains(number)).ToList();
        if (missing.Count == 0)
            yield break;
        var begins = places.Where(place => place.History is not null).Select(place => place.HistoryBeginsAt is { } at ? $"{place.Node}'s begins at {Time(at)}" : $"{place.Node} writes none that can be read");
        yield return $"! of attempt{(missing.Count > 1 ? "s" : "")} {Ranges(missing)} no main log tells: {string.Join(", ", begins)}";
    }

    private static string Ranges(List<int> numbers) => string.Join(", ", numbers.Index().GroupBy(one => one.Item - one.Index)
        .Select(group => group.Count() == 1 ? $"{group.First().Item}" : $"{group.First().Item} to {group.Last().Item}"));

    private static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
