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
    public const string Waiting = "waiting", Delivering = "delivering", Moving = "moving", Gone = "gone", Ended = "ended";

    /// <summary>The message itself is here, not only its trace.</summary>
    public bool IsHere => State is Waiting or Delivering or Moving;

    /// <summary>Looks on this node; <see langword="null"/>: it knows nothing of it.</summary>
    internal static MessagePlace? Find(ClusterService cluster, VeredusNode node, MessageId id)
    {
        var name = ClusterConfiguration.NodeName(node.Configuration.Current);
        return node.Delivery.Message(id) is { } details ? Here(cluster, node, name, id, details) : cluster.Moves?.Trace(id) is { } entry ? Trace(name, id, entry) : null;
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
        foreach (var place in places.Where(place => !place.IsHere))
            yield return $"  {place.Node}  {(place.At is { } at ? Time(at) : "")}  {place.Why}";
        if (here.Count > 1)
            yield return $"! {here.Count} nodes have a copy: one of them ends when they meet at the owner of the binding (cluster moves)";
        if (missing.Count > 0)
            yield return $"! no answer: {string.Join(", ", missing)}";
    }

    private static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
