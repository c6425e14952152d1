using System.Net;
using System.Threading.Channels;
using Veredus.Cluster;
using Veredus.Network;

namespace Veredus.Duravip.Driver.Tests;

/// <summary>A clock that runs faster than the wall's, so that the product's own pauses don't cost the test's time.</summary>
internal sealed class FastTime(int factor) : TimeProvider
{
    private readonly long _origin = System.GetTimestamp();

    public override long GetTimestamp() => _origin + (System.GetTimestamp() - _origin) * factor;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        System.CreateTimer(callback, state, Faster(dueTime), Faster(period));

    private TimeSpan Faster(TimeSpan time) => time == Timeout.InfiniteTimeSpan ? time : time / factor;
}

/// <summary>A guard without a host: tells the story what it was asked, and answers as the test wants.</summary>
internal sealed class FakeGuard(Story story) : IAddressGuard
{
    private readonly Channel<GuardNotice> _notices = Channel.CreateUnbounded<GuardNotice>();
    private volatile bool _ended;
    private int _beats;

    /// <summary>Who answers when somebody asks for an address.</summary>
    public Func<IPAddress, MacAddress?> Neighbour { get; set; } = _ => null;

    /// <summary>Why an address can't be added; <see langword="null"/>: it can.</summary>
    public Func<IPAddress, GuardOutcome> Adding { get; set; } = _ => GuardOutcome.Done;

    public ChannelReader<GuardNotice> Notices => _notices.Reader;

    public void Say(GuardNotice notice) => _notices.Writer.TryWrite(notice);

    /// <summary>As if its process had been killed.</summary>
    public void Die()
    {
        _ended = true;
        _notices.Writer.TryWrite(new GuardNotice.Ended("killed"));
        _notices.Writer.TryComplete();
    }

    public Task ConfigureAsync(GuardSettings settings, CancellationToken cancellationToken) => Asked("configure", []);

    public Task<IReadOnlyList<GuardResult>> CleanAsync(IReadOnlyList<IPAddress> configured, CancellationToken cancellationToken) =>
        AnswerAsync("clean", configured, _ => GuardOutcome.Absent);

    public Task<IReadOnlyList<GuardResult>> AddAsync(IReadOnlyList<IPAddress> addresses, CancellationToken cancellationToken) => AnswerAsync("add", addresses, Adding);

    public Task<IReadOnlyList<GuardResult>> RemoveAsync(IReadOnlyList<IPAddress> addresses, CancellationToken cancellationToken) =>
        AnswerAsync("remove", addresses, _ => GuardOutcome.Done);

    public async Task<IReadOnlyList<ProbeAnswer>> ProbeAsync(IReadOnlyList<IPAddress> addresses, TimeSpan wait, CancellationToken cancellationToken)
    {
        await Asked("probe", addresses);
        return [.. addresses.Select(address => (address, by: Neighbour(address))).Where(pair => pair.by is not null).Select(pair => new ProbeAnswer(pair.address, pair.by!.Value))];
    }

    public Task AnnounceAsync(IReadOnlyList<IPAddress> addresses, AnnounceScope scope, IReadOnlyList<NeighbourInfo> known, CancellationToken cancellationToken) =>
        Asked($"announce {scope}", addresses);

    public void Beat() => Beat(0);

    public void Beat(long evidence)
    {
        if (Interlocked.Increment(ref _beats) == 1)
            story.Add("beat");
    }

    public ValueTask DisposeAsync()
    {
        story.Add("guard over");
        _notices.Writer.TryComplete();
        return default;
    }

    private async Task<IReadOnlyList<GuardResult>> AnswerAsync(string what, IReadOnlyList<IPAddress> addresses, Func<IPAddress, GuardOutcome> outcome)
    {
        await Asked(what, addresses);
        return [.. addresses.Select(address => new GuardResult(address, outcome(address), 0, ""))];
    }

    private Task Asked(string what, IEnumerable<IPAddress> addresses)
    {
        if (_ended)
            return Task.FromException(new IOException("The address guard has ended."));
        story.Add($"{what} {string.Join(' ', addresses)}".TrimEnd());
        return Task.CompletedTask;
    }
}

/// <summary>Services that only tell; those of a busy address end when the test says so.</summary>
internal sealed class FakeServices(Story story) : IVipServices
{
    public Func<VipAddress, string?> Trouble { get; set; } = _ => null;

    public TaskCompletionSource? Sessions { get; set; }

    public void Open(VipAddress address)
    {
        story.Add($"open {address}");
        if (Trouble(address) is { } trouble)
            throw new IOException(trouble);
    }

    public void Start(LocalVip vip) => story.Add($"start {vip.Address}");

    public void OwnersChanged(VipOwners? owners) => story.Add("owners");

    public async Task StopAsync(VipAddress address, TimeSpan drain)
    {
        story.Add($"stop {address} {drain.TotalSeconds:0}");
        if (drain > TimeSpan.Zero && Sessions is { } sessions)
            await sessions.Task;
    }
}

/// <summary>One node with a driver on a bus of one, and what happened.</summary>
internal sealed class Bench : IAsyncDisposable
{
    public Bench(params string[] vips)
    {
        Services = new(Story);
        Vips = new(vips.Select(text => new LocalVip(
            new(VipAddress.Parse(text), VipAddress.Parse(text), ["esmtp"], [], "", Placeability.Placeable, "192.0.2.0/24"), new("eth0", 32))));
        Driver = new(new()
        {
            NodeName = "mta1",
            Version = "1.0.0",
            OpenBus = () =>
            {
                Story.Add("join");
                if (BusTrouble is { } trouble)
                {
                    BusTrouble = null;
                    throw new IOException(trouble);
                }
                return Bus = new("test");
            },
            StartGuard = (_, _) =>
            {
                Story.Add("guard");
                var guard = new FakeGuard(Story);
                Prepare(guard);
                Guard = guard;
                return Task.FromResult<IAddressGuard>(guard);
            },
            Services = Services,
            Log = (level, text) => Story.Add($"{level}: {text}"),
            Time = new FastTime(20),
        }, Configuration());
    }

    public Story Story { get; } = new();
    public FakeServices Services { get; }
    public VipSet Vips { get; set; }
    public DuravipDriver Driver { get; }
    public volatile InProcessBus? Bus;
    public volatile FakeGuard? Guard;
    public volatile string? BusTrouble;
    public Action<FakeGuard> Prepare { get; set; } = _ => { };

    public DuravipConfiguration Configuration(DuravipOptions? options = null) => new(Vips, options ?? Options, new(Topology.Empty, [], TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(2)));

    /// <summary>The clock runs twenty times as fast, so a busy machine must not look like a stall.</summary>
    public static DuravipOptions Options { get; } = new() { ViewMatureMs = 100, HeartbeatPeriodMs = 30_000, HeartbeatStartDelayMs = 1_000_000, IfDownLimitMs = 100, LeaseMs = 60_000, IfCheckIntervalMs = 1_000_000 };

    public Task StartAsync() => Driver.StartAsync(CancellationToken.None);

    public ValueTask DisposeAsync() => Driver.DisposeAsync();
}
