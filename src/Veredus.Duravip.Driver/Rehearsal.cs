using System.Net;
using System.Threading.Channels;
using Veredus.Cluster;
using Veredus.Network;

namespace Veredus.Duravip.Driver;

/// <summary>
/// Nodes that exist in this process only share addresses that no host can have: one takes all, another gets half of them, and the rest when the first one's host is lost; a third gets
/// half, and the rest when the second one stops. The code is that of the real driver, so the
/// just-in-time compiler has been all the way before the first real takeover: most processes have only one, and nobody answers while it compiles.
/// </summary>
public static class Rehearsal
{
    private const int Addresses = 64;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>Plays once. Ends by itself, whatever happens; touches nothing outside of this process but <paramref name="services"/> and <paramref name="observer"/>.</summary>
    /// <param name="services">Asked to open, start and stop addresses of 0.0.0.0/8.</param>
    /// <param name="observer">Told what happens, as of real addresses.</param>
    /// <returns>Whether both nodes had addresses and gave them away.</returns>
    public static async Task<bool> RunAsync(IVipServices services, IDuravipObserver? observer, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        var group = new Group();
        var vips = new VipSet(Enumerable.Range(1, Addresses).Select(n =>
        {
            var address = VipAddress.From(new IPAddress([0, 0, 0, (byte)n]));
            return new LocalVip(new(address, address, ["esmtp", VipSetBuilder.BindingService], [$"rehearsal-{n}"], "", Placeability.Placeable, "0.0.0.0/8"), new("none", 32));
        }));
        var configuration = new DuravipConfiguration(vips, new() { ViewMatureMs = 0, ViewBalanceIntervalMs = 0, BalanceSetSize = Addresses, HeartbeatPeriodMs = 50 }, new(Topology.Empty, [], TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(1)))
        {
            ProbeWait = TimeSpan.Zero,
        };
        await using var first = new Node("rehearsal-1", group, configuration, services, observer);
        await using var second = new Node("rehearsal-2", group, configuration, services, observer);
        await using var third = new Node("rehearsal-3", group, configuration, services, observer);
        try
        {
            await first.StartAsync(untilServed: Addresses, limit.Token);
            await second.StartAsync(untilServed: Addresses / 2, limit.Token);
            group.Lose(first.Seat!);
            await second.Served.UntilAsync(Addresses).WaitAsync(limit.Token);
            await third.StartAsync(untilServed: Addresses / 2, limit.Token);
            second.Driver.RequestStop();
            await Task.WhenAll(third.Served.UntilAsync(Addresses), second.Driver.Stopped).WaitAsync(limit.Token);
            third.Driver.RequestStop();
            await third.Driver.Stopped.WaitAsync(limit.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private sealed class Node : IAsyncDisposable
    {
        public Node(string name, Group group, DuravipConfiguration configuration, IVipServices services, IDuravipObserver? observer)
        {
            Served = new(services);
            Driver = new(new()
            {
                NodeName = name,
                Version = "",
                OpenBus = () => Seat = group.Join(),
                StartGuard = (_, _) => Task.FromResult<IAddressGuard>(new Guard()),
                Services = Served,
                Log = (_, _) => { },
                Observer = observer,
            }, configuration);
        }

        public Served Served { get; }

        public DuravipDriver Driver { get; }

        public Seat? Seat { get; private set; }

        public async Task StartAsync(int untilServed, CancellationToken cancellationToken)
        {
            await Driver.StartAsync(cancellationToken);
            await Served.UntilAsync(untilServed).WaitAsync(cancellationToken);
        }

        public ValueTask DisposeAsync() => Driver.DisposeAsync();
    }

    /// <summary>Counts what is served. Not told of owners: who has the real addresses is not ours to say.</summary>
    private sealed class Served(IVipServices services) : IVipServices
    {
        private readonly HashSet<VipAddress> _served = [];
        private readonly List<(int Count, TaskCompletionSource Reached)> _waiting = [];

        public void Open(VipAddress address) => services.Open(address);

        public void Start(LocalVip vip)
        {
            services.Start(vip);
            lock (_served)
            {
                _served.Add(vip.Address);
                foreach (var (_, reached) in _waiting.FindAll(one => _served.Count >= one.Count))
                    reached.TrySetResult();
            }
        }

        public Task StopAsync(VipAddress address, TimeSpan drain)
        {
            lock (_served)
                _served.Remove(address);
            return services.StopAsync(address, drain);
        }

        public Task UntilAsync(int count)
        {
            lock (_served)
            {
                var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                if (_served.Count >= count)
                    reached.SetResult();
                else
                    _waiting.Add((count, reached));
                return reached.Task;
            }
        }
    }

    /// <summary>A guard without a host. Like the real one it answers later, from another thread.</summary>
    private sealed class Guard : IAddressGuard
    {
        private readonly Channel<GuardNotice> _notices = Channel.CreateUnbounded<GuardNotice>();

        public ChannelReader<GuardNotice> Notices => _notices.Reader;

        public Task ConfigureAsync(GuardSettings settings, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<IReadOnlyList<GuardResult>> CleanAsync(IReadOnlyList<IPAddress> configured, CancellationToken cancellationToken) => Done([]);

        public Task<IReadOnlyList<GuardResult>> AddAsync(IReadOnlyList<IPAddress> addresses, CancellationToken cancellationToken) => Done(addresses);

        public Task<IReadOnlyList<GuardResult>> RemoveAsync(IReadOnlyList<IPAddress> addresses, CancellationToken cancellationToken) => Done(addresses);

        public async Task<IReadOnlyList<ProbeAnswer>> ProbeAsync(IReadOnlyList<IPAddress> addresses, TimeSpan wait, CancellationToken cancellationToken)
        {
            await Task.Yield();
            return [];
        }

        public async Task AnnounceAsync(IReadOnlyList<IPAddress> addresses, AnnounceScope scope, IReadOnlyList<NeighbourInfo> known, CancellationToken cancellationToken) => await Task.Yield();

        public void Beat()
        {
        }

        public void Beat(long evidence)
        {
        }

        public ValueTask DisposeAsync()
        {
            _notices.Writer.TryComplete();
            return default;
        }

        private static async Task<IReadOnlyList<GuardResult>> Done(IReadOnlyList<IPAddress> addresses)
        {
            await Task.Yield();
            return [.. addresses.Select(address => new GuardResult(address, GuardOutcome.Done, 0, ""))];
        }
    }

    /// <summary>A bus within the process.</summary>
    private sealed class Group
    {
        private readonly List<Seat> _seats = [];
        private uint _last;

        public Seat Join()
        {
            lock (_seats)
            {
                var seat = new Seat(this, new(++_last, 1));
                _seats.Add(seat);
                View([seat.Self], []);
                return seat;
            }
        }

        /// <summary>As if its host could not be reached any more. It is not told.</summary>
        public void Lose(Seat seat) => Remove(seat, Cluster.Departure.NodeDown);

        public void Leave(Seat seat) => Remove(seat, Cluster.Departure.Leave);

        public void Send(Cluster.MemberId sender, byte[] message)
        {
            lock (_seats)
                foreach (var seat in _seats)
                    seat.Deliver(new GroupEvent.Message(sender, message));
        }

        private void Remove(Seat seat, Cluster.Departure why)
        {
            lock (_seats)
                if (_seats.Remove(seat))
                    View([], [new(seat.Self, why)]);
        }

        private void View(Cluster.MemberId[] joined, Departed[] left)
        {
            Cluster.MemberId[] members = [.. _seats.Select(seat => seat.Self)];
            foreach (var seat in _seats)
            {
                seat.Deliver(new GroupEvent.View(new(members, [.. members.Except(joined)], joined, left)));
                seat.Deliver(new GroupEvent.Hosts([.. members.Select(member => member.NodeId)]));
            }
        }
    }

    private sealed class Seat(Group group, Cluster.MemberId self) : IGroupBus
    {
        private readonly Channel<GroupEvent> _events = Channel.CreateUnbounded<GroupEvent>();

        string IGroupBus.Group => "rehearsal";

        public Cluster.MemberId Self => self;

        public ChannelReader<GroupEvent> Events => _events.Reader;

        public bool IsDrained => _events.Reader.Count == 0;

        public void Deliver(GroupEvent happened) => _events.Writer.TryWrite(happened);

        public SendOutcome Send(ReadOnlySpan<byte> message)
        {
            group.Send(self, message.ToArray());
            return SendOutcome.Accepted;
        }

        public void Reset(string reason)
        {
        }

        public ValueTask DisposeAsync()
        {
            group.Leave(this);
            _events.Writer.TryComplete();
            return default;
        }
    }
}
