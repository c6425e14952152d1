using System.Text;

namespace Veredus.Cluster;

/// <summary>What a member has to do for delegation.</summary>
public abstract record DelegationEffect
{
    private DelegationEffect() { }

    /// <summary>Multicast this in the control group.</summary>
    public sealed record Send(ReadOnlyMemory<byte> Message) : DelegationEffect;

    /// <summary>Carry this out here, after all earlier ones, and report it with <see cref="DelegationCore.Finish"/>.</summary>
    public sealed record Execute(DelegatedCommand Command) : DelegationEffect;

    /// <summary>What is known of one node's answer has changed.</summary>
    public sealed record Answer(DelegatedCommand Command, NodeAnswer Of) : DelegationEffect;

    /// <summary>A body waits at a node to be fetched; report it with <see cref="DelegationCore.Fetched"/>.</summary>
    public sealed record Fetch(DelegatedCommand Command, DelegatedResult Result) : DelegationEffect;

    /// <summary>Keep this body, others will fetch it.</summary>
    public sealed record Keep(CommandId Id, ReadOnlyMemory<byte> Body) : DelegationEffect;
}

/// <summary>
/// The rules of delegation for one member (cluster.md 10.1). Whoever gives a command names the runs of nodes that shall carry it out; these do, in the order
/// of the group, each once; all answers are multicast, large ones only announced; a node that leaves before its answer counts as left. No clock, no socket: the
/// shell feeds it what the group delivers and carries out its effects in order.
/// </summary>
/// <param name="name">This member's name.</param>
/// <param name="self">This run of it.</param>
/// <param name="multicastBytes">Larger bodies are announced and fetched.</param>
/// <param name="isObserver">Follows commands and answers of all members (managers), not only its own.</param>
public sealed class DelegationCore(string name, Incarnation self, int multicastBytes = DelegationLimits.MaxMulticastBytes, bool isObserver = false)
{
    /// <summary>Commands whose answers are still followed, and runs of members whose last number is remembered; the oldest are forgotten.</summary>
    private const int MaxCalls = 1000, MaxOrigins = 1024;
    private const int MaxTextBytes = 4096;

    private readonly List<(CommandId Id, bool IsCommand, byte[] Message)> _undelivered = [];
    private readonly Dictionary<Incarnation, uint> _lastNumber = [];
    private readonly Dictionary<CommandId, Call> _calls = [];
    private readonly Queue<CommandId> _order = new();
    private readonly Dictionary<string, string> _known = [];
    private ClusterMembership _membership = ClusterMembership.Disconnected;
    private uint _number;
    private bool _wasLost;

    /// <summary>Whether all members have introduced themselves: a command given now can name them all.</summary>
    public bool IsSettled => _membership.Members.Count > 0 && _membership.Members.All(member => member.Hello is not null);

    public ClusterMembership Membership => _membership;

    /// <summary>Gives a command.</summary>
    /// <param name="limit">A node gives up on it after this time.</param>
    /// <returns>The command and what is known of each node's answer: pending, or absent for those that are not in the cluster but were, or are asked for by name.</returns>
    /// <exception cref="ArgumentException">The text is too long, or more than one line; or the caller has too many roles.</exception>
    public (DelegatedCommand Command, IReadOnlyList<NodeAnswer> Answers) Issue(
        DelegationTarget target, string text, DelegationCaller caller, TimeSpan limit, ICollection<DelegationEffect> effects)
    {
        if (Encoding.UTF8.GetByteCount(text) is 0 or > DelegationLimits.MaxCommandBytes || text.AsSpan().ContainsAny('\r', '\n'))
            throw new ArgumentException($"A command for other nodes is one line of 1 to {DelegationLimits.MaxCommandBytes} octets.", nameof(text));
        if (caller.Roles.Count > DelegationLimits.MaxRoles)
            throw new ArgumentException($"'{caller.User}' has {caller.Roles.Count} roles; commands for other nodes carry at most {DelegationLimits.MaxRoles}.", nameof(caller));
        var call = new Call(new(new(self, ++_number), name, caller, [], limit, text));
        var meant = _membership.Members.Where(member => member.Hello is { Kind: MemberKind.Veredus } hello && target.Includes(hello.NodeName, hello.Subcluster)).ToList();
        foreach (var member in meant)
            call.Entries.Add(new(member.Hello!.Incarnation, member.Id, new(member.Hello.NodeName, AnswerState.Pending)));
        call.Command = call.Command with { Addressees = [.. meant.Select(member => member.Hello!.Incarnation)] };
        var absent = (target is DelegationTarget.Nodes(var names) ? names : _known.Where(node => target.Includes(node.Key, node.Value)).Select(node => node.Key))
            .Where(wanted => meant.All(member => member.Hello!.NodeName != wanted)).Distinct()
            .Concat(target is DelegationTarget.AllNodes ? _membership.Members.Where(member => member.Hello is null).Select(member => member.Id.ToString()) : []);
        IReadOnlyList<NodeAnswer> answers = [.. call.Entries.Select(entry => entry.Answer), .. absent.Select(node => new NodeAnswer(node, AnswerState.Absent))];
        if (meant.Count > 0)
        {
            Follow(call);
            Send(call.Command.Id, true, DelegationCodec.Encode(call.Command), effects);
        }
        return (call.Command, answers);
    }

    /// <summary>Forgets the nodes that were in the cluster and are not now: they are missed no longer.</summary>
    public void ForgetAbsent() => _known.Clear();

    /// <summary>The membership changed.</summary>
    /// <param name="isView">After a loss of the bus: what was sent and has not come back may be lost, and is sent again; each node drops what it has seen.</param>
    public void OnMembership(ClusterMembership membership, bool isView, ICollection<DelegationEffect> effects)
    {
        _membership = membership;
        _wasLost |= membership.Members.Count == 0;
        if (membership.Members.Count == 0)
            return;
        foreach (var member in membership.Members)
            if (member.Hello is { Kind: MemberKind.Veredus } hello && (_known.Count < MaxOrigins || _known.ContainsKey(hello.NodeName)))
                _known[hello.NodeName] = hello.Subcluster;
        foreach (var call in _calls.Values)
        {
            foreach (var entry in call.Entries.Where(entry => entry.Answer.State is AnswerState.Pending))
            {
                Identify(entry);
                if (entry.Member is { } member && membership.Members.All(one => one.Id != member))
                    Learn(call, entry, entry.Answer with { State = AnswerState.Left }, effects);
            }
        }
        if (!isView || !_wasLost)
            return;
        _wasLost = false;
        foreach (var (_, _, message) in _undelivered)
            effects.Add(new DelegationEffect.Send(message));
    }

    /// <summary>The group delivered a message; what is not one of delegation is left alone.</summary>
    public void OnMessage(ReadOnlyMemory<byte> payload, ICollection<DelegationEffect> effects)
    {
        switch (DelegationCodec.TryRead(payload))
        {
            case DelegatedCommand command:
                OnCommand(command, effects);
                break;
            case DelegatedResult result:
                OnResult(result, effects);
                break;
        }
    }

    /// <summary>A command that <see cref="DelegationEffect.Execute"/> asked for has been carried out.</summary>
    /// <param name="body">At most <see cref="DelegationLimits.MaxOutputBytes"/>; not changed any more.</param>
    public void Finish(CommandId id, int code, string text, ReadOnlyMemory<byte> body, ICollection<DelegationEffect> effects)
    {
        var isLarge = body.Length > multicastBytes;
        if (isLarge)
            effects.Add(new DelegationEffect.Keep(id, body));
        text = text.Length > MaxTextBytes / 4 ? text[..(MaxTextBytes / 4)] + "…" : text;
        Send(id, false, DelegationCodec.Encode(new DelegatedResult(id, name, code, text, body.Length, isLarge ? default : body)), effects);
    }

    /// <summary>A body has been fetched; <see langword="null"/>: it could not be, and <paramref name="why"/> says why.</summary>
    public void Fetched(DelegatedResult result, ReadOnlyMemory<byte>? body, string why, ICollection<DelegationEffect> effects)
    {
        if (!_calls.TryGetValue(result.Id, out var call) || call.Entries.Find(entry => entry.Answer.Node == result.Node) is not { } entry)
            return;
        Learn(call, entry, body is { } text ? new(result.Node, AnswerState.Answered, result.Code, result.Text, text)
            : new(result.Node, AnswerState.Answered, result.Code == 0 ? DelegationCodes.Lost : result.Code, $"the answer of {result.Bytes} octets could not be fetched: {why}"), effects);
    }

    private void OnCommand(DelegatedCommand command, ICollection<DelegationEffect> effects)
    {
        _undelivered.RemoveAll(sent => sent.IsCommand && sent.Id == command.Id);
        if (_lastNumber.TryGetValue(command.Id.Origin, out var last) && command.Id.Number <= last)
            return;
        if (_lastNumber.Count >= MaxOrigins)
            _lastNumber.Remove(_lastNumber.Keys.Min());
        _lastNumber[command.Id.Origin] = command.Id.Number;
        if (isObserver && !_calls.ContainsKey(command.Id))
            Follow(Observed(command));
        if (isObserver)
            foreach (var entry in _calls[command.Id].Entries)
                effects.Add(new DelegationEffect.Answer(command, entry.Answer));
        if (command.Addressees.Contains(self))
            effects.Add(new DelegationEffect.Execute(command));
    }

    private void OnResult(DelegatedResult result, ICollection<DelegationEffect> effects)
    {
        if (result.Node == name)
            _undelivered.RemoveAll(sent => !sent.IsCommand && sent.Id == result.Id);
        if (!_calls.TryGetValue(result.Id, out var call))
            return;
        if (call.Entries.Find(entry => entry.Answer.Node == result.Node) is not { } entry)
        {
            // Someone whom this member had not heard by name when the command passed.
            if ((entry = call.Entries.Find(unknown => unknown.Member is null)) is null)
                return;
            entry.Answer = entry.Answer with { Node = result.Node };
        }
        if (entry.Answer.State is AnswerState.Answered || entry.IsFetching)
            return;
        if (result.IsToFetch)
        {
            entry.IsFetching = true;
            effects.Add(new DelegationEffect.Fetch(call.Command, result));
        }
        else
        {
            Learn(call, entry, new(result.Node, AnswerState.Answered, result.Code, result.Text, result.Body), effects);
        }
    }

    private Call Observed(DelegatedCommand command)
    {
        var call = new Call(command);
        foreach (var addressee in command.Addressees)
        {
            var entry = new Entry(addressee, null, new(addressee.ToString(), AnswerState.Pending));
            Identify(entry);
            call.Entries.Add(entry);
        }
        return call;
    }

    private void Identify(Entry entry)
    {
        if (entry.Member is not null || _membership.Members.FirstOrDefault(member => member.Hello?.Incarnation == entry.Run) is not { Hello: { } hello } found)
            return;
        entry.Member = found.Id;
        entry.Answer = entry.Answer with { Node = hello.NodeName };
    }

    private static void Learn(Call call, Entry entry, NodeAnswer answer, ICollection<DelegationEffect> effects)
    {
        entry.Answer = answer with { Body = default };
        effects.Add(new DelegationEffect.Answer(call.Command, answer));
    }

    private void Follow(Call call)
    {
        _calls[call.Command.Id] = call;
        _order.Enqueue(call.Command.Id);
        while (_order.Count > MaxCalls)
            _calls.Remove(_order.Dequeue());
    }

    private void Send(CommandId id, bool isCommand, byte[] message, ICollection<DelegationEffect> effects)
    {
        _undelivered.Add((id, isCommand, message));
        effects.Add(new DelegationEffect.Send(message));
    }

    private sealed class Call(DelegatedCommand command)
    {
        public DelegatedCommand Command { get; set; } = command;

        public List<Entry> Entries { get; } = [];
    }

    private sealed class Entry(Incarnation run, MemberId? member, NodeAnswer answer)
    {
        public Incarnation Run => run;

        public MemberId? Member { get; set; } = member;

        public NodeAnswer Answer { get; set; } = answer;

        public bool IsFetching { get; set; }
    }
}

/// <summary>Codes that delegation adds to those of the console.</summary>
public static class DelegationCodes
{
    /// <summary>The answer was larger than <see cref="DelegationLimits.MaxOutputBytes"/> and is cut there.</summary>
    public const int TooLarge = 413;

    /// <summary>It was carried out, but the answer is lost.</summary>
    public const int Lost = 502;

    /// <summary>The node gave up after the command's limit.</summary>
    public const int TimedOut = 504;
}
