using System.Collections.Concurrent;
using System.Net;
using System.Text;

namespace Veredus.Cluster.Tests;

/// <summary>Members with their links on a group in memory: who carries out what, and which answers come back.</summary>
public sealed class DelegationTests : IAsyncLifetime
{
    private static readonly DelegationCaller s_ana = new("ana", ["ops"]);
    /// <summary>Ends a hang; no test waits for it.</summary>
    private static readonly TimeSpan s_hang = TimeSpan.FromSeconds(90);

    private readonly MemoryGroup _group = new();
    private readonly List<Member> _members = [];
    private readonly ClusterAuthority _authority = ClusterAuthority.Create("test", TimeProvider.System);

    [Fact]
    public async Task Every_node_carries_a_command_out_once_with_the_callers_identity_and_managers_do_not()
    {
        var (manager, _, one, two) = (Manager("mgr1"), Manager("mgr2"), Node("mta1"), Node("mta2"));
        await SettledAsync();

        var answers = await manager.Delegation.RunToEndAsync(DelegationTarget.All, "version", s_ana, s_hang);

        Assert.Equal(["mta1: 0 version by ana of mgr1", "mta2: 0 version by ana of mgr1"], answers.Select(Show));
        Assert.Single(one.Ran);
        Assert.Equal(["ops"], two.Ran.Single().Caller.Roles);
    }

    [Fact]
    public async Task Only_the_subcluster_or_the_nodes_that_are_named_are_asked()
    {
        var manager = Manager("mgr1");
        Node("mta1");
        Node("mta2", "west");
        Node("mta3", "west");
        await SettledAsync();

        Assert.Equal(["mta2", "mta3"], (await manager.Delegation.RunToEndAsync(new DelegationTarget.OfSubcluster("west"), "x", s_ana, s_hang)).Select(answer => answer.Node));
        var named = await manager.Delegation.RunToEndAsync(new DelegationTarget.Nodes(["mta1", "mta9", "mgr1"]), "x", s_ana, s_hang);

        Assert.Equal([("mgr1", AnswerState.Absent), ("mta1", AnswerState.Answered), ("mta9", AnswerState.Absent)], named.Select(answer => (answer.Node, answer.State)));
    }

    [Fact]
    public async Task A_node_may_ask_the_others_too_and_itself_with_them()
    {
        var one = Node("mta1");
        Node("mta2");
        await SettledAsync();

        Assert.Equal(2, (await one.Delegation.RunToEndAsync(DelegationTarget.All, "summary", s_ana, s_hang)).Count(answer => answer.IsOk));
    }

    [Fact]
    public async Task A_node_that_is_silent_delays_nobody_and_its_late_answer_reaches_every_manager()
    {
        var (manager, other, silent) = (Manager("mgr1"), Manager("mgr2"), Node("mta2"));
        Node("mta1");
        silent.Hold();
        await SettledAsync();
        var answers = manager.Delegation.RunAsync(DelegationTarget.All, "version", s_ana, s_hang).GetAsyncEnumerator();

        Assert.True(await answers.MoveNextAsync().AsTask().WaitAsync(s_hang));
        Assert.Equal("mta1", answers.Current.Node);  // here already, while mta2 is still at it
        silent.Release();

        Assert.True(await answers.MoveNextAsync().AsTask().WaitAsync(s_hang));
        Assert.Equal("mta2", answers.Current.Node);
        await manager.Until("mta2");
        await other.Until("mta2");
        await answers.DisposeAsync();
    }

    [Fact]
    public async Task What_has_not_answered_in_time_is_named_last()
    {
        var (manager, silent) = (Manager("mgr1"), Node("mta2"));
        silent.Hold();
        await SettledAsync();

        var answer = Assert.Single(await manager.Delegation.RunToEndAsync(DelegationTarget.All, "version", s_ana, TimeSpan.FromMilliseconds(1)));

        Assert.Equal(("mta2", AnswerState.Pending), (answer.Node, answer.State));
        silent.Release();
    }

    [Fact]
    public async Task A_node_that_leaves_before_it_answers_counts_as_left_and_later_as_absent()
    {
        var (manager, leaving) = (Manager("mgr1"), Node("mta2"));
        Node("mta1");
        leaving.Hold();
        await SettledAsync();
        var asking = manager.Delegation.RunToEndAsync(DelegationTarget.All, "version", s_ana, s_hang);
        await leaving.Started;

        leaving.Bus.Lose();

        Assert.Equal([AnswerState.Answered, AnswerState.Left], (await asking.WaitAsync(s_hang)).Select(answer => answer.State));
        Assert.Equal([AnswerState.Answered, AnswerState.Absent], (await manager.Delegation.RunToEndAsync(DelegationTarget.All, "version", s_ana, s_hang)).Select(answer => answer.State));
        manager.Delegation.ForgetAbsent();
        Assert.Single(await manager.Delegation.RunToEndAsync(DelegationTarget.All, "version", s_ana, s_hang));
        leaving.Release();
    }

    [Fact]
    public async Task Commands_of_all_managers_are_carried_out_in_one_order_everywhere()
    {
        var (first, second, one, two) = (Manager("mgr1"), Manager("mgr2"), Node("mta1"), Node("mta2"));
        await SettledAsync();

        await Task.WhenAll(Enumerable.Range(0, 50).SelectMany(i => (Task[])
            [first.Delegation.RunToEndAsync(DelegationTarget.All, $"a{i}", s_ana, s_hang), second.Delegation.RunToEndAsync(DelegationTarget.All, $"b{i}", s_ana, s_hang)]));

        Assert.Equal(100, one.Ran.Count);
        Assert.Equal(one.Ran.Select(command => command.Text), two.Ran.Select(command => command.Text));
    }

    [Fact]
    public async Task A_command_that_the_bus_lost_is_sent_again_and_carried_out_once()
    {
        var (manager, node) = (Manager("mgr1"), Node("mta1"));
        await SettledAsync();
        manager.Bus.IsLossy = true;
        var asking = manager.Delegation.RunToEndAsync(DelegationTarget.All, "version", s_ana, s_hang);
        await manager.Bus.Swallowed.Task.WaitAsync(s_hang);

        manager.Bus.IsLossy = false;
        manager.Bus.Reset("lost it");

        Assert.True(Assert.Single(await asking.WaitAsync(s_hang)).IsOk);
        Assert.Single(node.Ran);
    }

    [Fact]
    public async Task A_large_answer_is_fetched_point_to_point_by_every_manager()
    {
        var manager = Manager("mgr1");
        var node = Node("mta1", listens: true);
        node.Answer = _ => CommandOutput.Collect(0, "", Enumerable.Range(0, 50_000).Select(i => $"line {i} of a long answer"), default);
        await SettledAsync();

        var answer = Assert.Single(await manager.Delegation.RunToEndAsync(DelegationTarget.All, "mailq", s_ana, s_hang));

        Assert.Equal((AnswerState.Answered, 0), (answer.State, answer.Code));
        Assert.Equal("line 49999 of a long answer", answer.Lines.Last());
        Assert.True(answer.Body.Length > DelegationLimits.MaxMulticastBytes);
    }

    [Fact]
    public async Task Without_a_listener_a_large_answer_is_cut_and_says_so()
    {
        var (manager, node) = (Manager("mgr1"), Node("mta1"));
        node.Answer = _ => CommandOutput.Collect(0, "", Enumerable.Range(0, 200_000).Select(i => $"line {i}"), default);
        await SettledAsync();

        var answer = Assert.Single(await manager.Delegation.RunToEndAsync(DelegationTarget.All, "mailq", s_ana, s_hang));

        Assert.Equal(DelegationCodes.TooLarge, answer.Code);
        Assert.Contains("1 MB", answer.Text, StringComparison.Ordinal);
        Assert.Equal("line 0", answer.Lines.First());
    }

    [Fact]
    public void Answers_to_others_are_known_by_their_header_alone()
    {
        var (self, other) = (new Incarnation(7), new Incarnation(8));
        var answer = DelegationCodec.Encode(new DelegatedResult(new(other, 1), "mta1", 0, "", 4, "body"u8.ToArray()));

        Assert.True(DelegationCodec.IsAnswerToOthers(answer, self));
        Assert.False(DelegationCodec.IsAnswerToOthers(answer, other));
        Assert.False(DelegationCodec.IsAnswerToOthers(DelegationCodec.Encode(new DelegatedCommand(new(other, 1), "mgr1", new("root", []), [self], TimeSpan.FromSeconds(1), "version")), self));
        for (var length = 0; length < 15; length++)
            Assert.False(DelegationCodec.IsAnswerToOthers(answer.AsSpan(0, length), self));
        answer[0]++;
        Assert.False(DelegationCodec.IsAnswerToOthers(answer, self));
    }

    [Fact]
    public void A_command_that_prints_100_MB_is_stopped_at_16()
    {
        var produced = 0L;
        var output = CommandOutput.Collect(0, "", Lines(), default);

        Assert.Equal(DelegationCodes.TooLarge, output.Code);
        Assert.Contains("16 MB", output.Text, StringComparison.Ordinal);
        Assert.InRange(output.Body.Length, DelegationLimits.MaxOutputBytes - 1001, DelegationLimits.MaxOutputBytes);
        Assert.InRange(produced, 0, DelegationLimits.MaxOutputBytes + 1001);

        IEnumerable<string> Lines()
        {
            for (var line = new string('x', 1000); produced < 100 * 1024 * 1024; produced += 1001)
                yield return line;
        }
    }

    [Fact]
    public async Task A_command_that_fails_or_hangs_is_an_answer_and_those_behind_it_go_on()
    {
        var (manager, node) = (Manager("mgr1"), Node("mta1"));
        node.Answer = command => command.Text == "bad" ? throw new InvalidOperationException("it broke") : new(0, command.Text);
        await SettledAsync();

        Assert.Equal((500, "the command failed: it broke"), (await manager.Delegation.RunToEndAsync(DelegationTarget.All, "bad", s_ana, s_hang)).Select(answer => (answer.Code, answer.Text)).Single());
        Assert.True((await manager.Delegation.RunToEndAsync(DelegationTarget.All, "good", s_ana, s_hang)).Single().IsOk);
    }

    [Fact]
    public async Task Two_members_with_one_name_the_later_leaves_and_says_why()
    {
        Manager("mgr1");
        await SettledAsync();
        var second = Manager("mgr1");

        Assert.Contains("node name 'mgr1' is already in use", await second.Link.Expelled.WaitAsync(s_hang), StringComparison.Ordinal);
        await Assert.ThrowsAsync<DelegationException>(() => second.Delegation.RunToEndAsync(DelegationTarget.All, "version", s_ana, s_hang));
    }

    [Fact]
    public async Task A_command_of_several_lines_or_of_more_than_64_KiB_is_refused()
    {
        var manager = Manager("mgr1");
        await SettledAsync();

        await Assert.ThrowsAsync<ArgumentException>(() => manager.Delegation.RunToEndAsync(DelegationTarget.All, "a\nb", s_ana, s_hang));
        await Assert.ThrowsAsync<ArgumentException>(() => manager.Delegation.RunToEndAsync(DelegationTarget.All, new string('a', 65537), s_ana, s_hang));
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var member in _members)
            await member.DisposeAsync();
        _authority.Dispose();
    }

    private static string Show(NodeAnswer answer) => $"{answer.Node}: {answer.Code} {string.Join('|', answer.Lines)}";

    private Member Manager(string name) => Add(MemberKind.Manager, name, "default", false);

    private Member Node(string name, string subcluster = "default", bool listens = false) => Add(MemberKind.Veredus, name, subcluster, listens);

    private Member Add(MemberKind kind, string name, string subcluster, bool listens)
    {
        var member = new Member(_group.Join(), kind, name, subcluster, new((ulong)_members.Count + 1), _authority.Issue(name, TimeProvider.System), listens);
        _members.Add(member);
        return member;
    }

    private Task SettledAsync() => Task.WhenAll(_members.Select(member => member.SettledAsync(_members.Count))).WaitAsync(s_hang);

    private sealed class Member : IClusterLinkListener, IAsyncDisposable
    {
        private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously), _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ConcurrentDictionary<string, TaskCompletionSource> _answers = new();
        private readonly ClusterIdentity _identity;
        private readonly ClusterListener? _listener;
        private TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private volatile int _wanted;

        public Member(MemoryGroup.Bus bus, MemberKind kind, string name, string subcluster, Incarnation run, ClusterIdentity identity, bool listens)
        {
            (Bus, _identity) = (bus, identity);
            _held.SetResult();
            if (listens)
                _listener = new(new(new(IPAddress.Loopback, 0), name, run), identity, () => Link!.Membership, [], (_, _) => { });
            Link = new(new()
            {
                Kind = kind, NodeName = name, Subcluster = subcluster, Version = "1", Incarnation = run, OpenBus = () => bus, Log = _ => { },
                Address = _listener?.Address ?? new(IPAddress.Any, 0),
            });
            Link.Add(this);
            Delegation = new(Link, new()
            {
                Executor = kind is MemberKind.Veredus ? ExecuteAsync : null,
                Observer = kind is MemberKind.Manager ? Observe : null,
                Identity = identity,
                Log = _ => { },
            });
            _listener?.Offer(Delegation.Service);
            Link.Start();
        }

        public MemoryGroup.Bus Bus { get; }

        public ClusterLink Link { get; }

        public Delegation Delegation { get; }

        public ConcurrentQueue<DelegatedCommand> Ran { get; } = new();

        public Func<DelegatedCommand, CommandOutput> Answer { get; set; } =
            command => new(0, "", Encoding.UTF8.GetBytes($"{command.Text} by {command.Caller.User} of {command.Origin}\n"));

        public Task Started => _started.Task.WaitAsync(s_hang);

        public void Hold() => _held = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Release() => _held.TrySetResult();

        /// <summary>Completes when this manager's observer has seen the node's answer.</summary>
        public Task Until(string node) => Seen(node).Task.WaitAsync(s_hang);

        public Task SettledAsync(int members)
        {
            _wanted = members;
            Look(Link.Membership);
            return _settled.Task;
        }

        public void OnMembership(ClusterMembership membership, bool isView) => Look(membership);

        public void OnMessage(MemberId sender, ReadOnlyMemory<byte> payload)
        {
        }

        public async ValueTask DisposeAsync()
        {
            Release();
            if (_listener is not null)
                await _listener.DisposeAsync();
            await Delegation.DisposeAsync();
            await Link.DisposeAsync();
            _identity.Dispose();
        }

        private void Look(ClusterMembership membership)
        {
            if (_wanted > 0 && membership.Members.Count(member => member.Hello is not null) >= _wanted)
                _settled.TrySetResult();
        }

        private void Observe(DelegatedCommand command, NodeAnswer answer)
        {
            if (answer.State is AnswerState.Answered)
                Seen(answer.Node).TrySetResult();
        }

        private TaskCompletionSource Seen(string node) => _answers.GetOrAdd(node, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));

        private async Task<CommandOutput> ExecuteAsync(DelegatedCommand command, CancellationToken cancellationToken)
        {
            Ran.Enqueue(command);
            _started.TrySetResult();
            await _held.Task.WaitAsync(cancellationToken);
            return Answer(command);
        }
    }
}
