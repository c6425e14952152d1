using System.Net;
using Veredus.Network;

namespace Veredus.Duravip.Driver;

/// <summary>Who is told where an address is.</summary>
internal sealed record Audience(AnnounceScope Scope, IReadOnlyList<NeighbourInfo> Known);

/// <summary>An address to take off this host.</summary>
/// <param name="Drain">How long its sessions may take to end; <see langword="null"/>: it was never served.</param>
internal readonly record struct Removal(UnplumbEffect Unplumb, TimeSpan? Drain);

/// <summary>
/// Addresses on their way: what the machine asked for runs here beside the loop and comes back as events. The newest request for an address counts; one that
/// it overtakes adds nothing any more, which is decided under the same lock that hands requests to the guard.
/// </summary>
internal sealed class AddressWork(DuravipDriverSettings settings, Action<IReadOnlyList<DuravipEvent>> tell, Action<Action> later) : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    /// <summary>Somebody who keeps answering for an address delays it so long: availability first (duravip.md 3.8).</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(15);
    /// <summary>Who answers may be a host that is just letting go, as after the death of its node: asked again at once for so long, then each second.</summary>
    private static readonly TimeSpan LettingGo = TimeSpan.FromSeconds(1);

    /// <summary>The guard adds nothing without a fresh beat, as after a stall: asked again so soon.</summary>
    private static readonly TimeSpan NextBeat = TimeSpan.FromMilliseconds(50);

    /// <summary>So many sockets are opened before the next look whether addresses can be added meanwhile.</summary>
    private const int GroupSize = 64;

    private readonly Lock _order = new();
    private readonly Dictionary<VipAddress, ulong> _newest = [];
    private readonly HashSet<VipAddress> _held = [];
    private readonly CancellationTokenSource _ending = new();
    private Task _watching = Task.CompletedTask;
    private volatile IAddressGuard _guard = null!;
    private volatile DuravipConfiguration _configuration = null!;
    private long _evidence = long.MinValue;
    private int _disposed;

    public async Task StartAsync(DuravipConfiguration configuration, CancellationToken cancellationToken)
    {
        _configuration = configuration;
        _guard = await settings.StartGuard(configuration.Guard, cancellationToken);
        _watching = WatchAsync();
    }

    public Task ConfigureAsync(DuravipConfiguration configuration, CancellationToken cancellationToken)
    {
        _configuration = configuration;
        return _guard.ConfigureAsync(configuration.Guard, cancellationToken);
    }

    public void Beat(long evidence)
    {
        Volatile.Write(ref _evidence, evidence);
        _guard.Beat(evidence);
    }

    public Task CleanAsync(IReadOnlyList<IPAddress> configured) => RunAsync(async () =>
    {
        while (true)
        {
            try
            {
                var results = await _guard.CleanAsync(configured, _ending.Token);
                if (results.FirstOrDefault(result => !result.Ok) is not { } left)
                    break;
                settings.Log(LogLevelHint.Error, $"duravip: {left.Address} cannot be removed ({left.Outcome} {left.Detail}); not joining before it is gone");
            }
            catch (IOException e)
            {
                settings.Log(LogLevelHint.Error, $"duravip: the host cannot be cleaned: {e.Message}; trying again");
            }
            await Task.Delay(Pause, settings.Time, _ending.Token);
        }
        tell([new HostCleanedEvent()]);
    });

    /// <summary>Ends the service of an address that stays, or that is on its way out already and has no time left.</summary>
    public void StopService(VipAddress address, TimeSpan drain) => _ = RunAsync(() => settings.Services.StopAsync(address, drain));

    public void Plumb(IReadOnlyList<PlumbEffect> plumbs, Audience audience)
    {
        lock (_order)
            foreach (var plumb in plumbs)
                _newest[plumb.Address] = plumb.Operation;
        foreach (var group in plumbs.GroupBy(plumb => plumb.Probe))
            _ = RunAsync(() => PlumbAsync([.. group], audience));
    }

    /// <summary>The guard leaves out what it no longer holds.</summary>
    public void TellNeighbours(IReadOnlyList<VipAddress> addresses, Audience audience) => _ = RunAsync(() => TellAsync(addresses, audience));

    public void Unplumb(IReadOnlyList<Removal> removals)
    {
        lock (_order)
            foreach (var (unplumb, _) in removals)
                _newest[unplumb.Address] = unplumb.Operation;
        _ = RunAsync(() => RemoveWhenStoppedAsync([.. removals.Select(one =>
            (one, one.Drain is { } drain ? settings.Services.StopAsync(one.Unplumb.Address, drain) : Task.CompletedTask))]));
    }

    /// <summary>Each leaves when its service has ended, together with those whose service ended while the last ones were being removed.</summary>
    private async Task RemoveWhenStoppedAsync(List<(Removal Removal, Task Stopping)> waiting)
    {
        while (waiting.Count > 0)
        {
            await Task.WhenAny(waiting.Select(one => one.Stopping));
            var byEnd = waiting.ToLookup(one => one.Stopping.IsCompleted);
            Removal[] free = [.. byEnd[true].Select(one => one.Removal)];
            waiting = [.. byEnd[false]];
            var removing = RunAsync(() => RemoveAsync(free));
            if (waiting.Count > 0)
                await Task.WhenAny(removing, Task.WhenAll(waiting.Select(one => one.Stopping)));  // one that cannot be removed delays no other for long
        }
    }

    /// <summary>Sockets are opened while the network is asked, and while the guard adds those addresses whose sockets are open already.</summary>
    private async Task PlumbAsync(PlumbEffect[] plumbs, Audience audience)
    {
        var asking = plumbs[0].Probe ? ProbeOnceAsync(plumbs, tell: true) : Task.FromResult<Dictionary<VipAddress, MacAddress>>([]);
        var adding = Task.CompletedTask;
        var (ready, taken) = (new List<PlumbEffect>(), new List<PlumbEffect>());
        foreach (var group in plumbs.Chunk(GroupSize))
        {
            ready.AddRange(group.Where(TryOpen));
            if (asking.IsCompleted && adding.IsCompleted)
                await AddReadyAsync();
        }
        await asking;
        await AddReadyAsync();
        await adding;
        await WaitForAsync([.. taken], audience);

        async Task AddReadyAsync()
        {
            var answers = await asking;
            await adding;
            taken.AddRange(ready.Where(plumb => answers.ContainsKey(plumb.Address)));
            adding = AddAsync([.. ready.Where(plumb => !answers.ContainsKey(plumb.Address))], audience);
            ready.Clear();
        }
    }

    private bool TryOpen(PlumbEffect plumb)
    {
        try
        {
            settings.Services.Open(plumb.Address);
            return true;
        }
        catch (IOException e)
        {
            tell([new PlumbFailedEvent(plumb.Operation, e.Message)]);
            return false;
        }
    }

    /// <summary>Asks about those that somebody has until they answer no more, or for so long that they are taken anyway.</summary>
    private async Task WaitForAsync(PlumbEffect[] taken, Audience audience)
    {
        for (var begun = settings.Time.GetTimestamp(); taken.Length > 0 && settings.Time.GetElapsedTime(begun) is var waited && waited < LongestWait;)
        {
            if (waited >= LettingGo)
                await Task.Delay(Pause, settings.Time, _ending.Token);
            lock (_order)
                taken = Array.FindAll(taken, IsNewest);
            var answers = await ProbeOnceAsync(taken, tell: waited >= LettingGo);
            await AddAsync([.. taken.Where(plumb => !answers.ContainsKey(plumb.Address))], audience);
            taken = [.. taken.Where(plumb => answers.ContainsKey(plumb.Address))];
        }
        await AddAsync(taken, audience);
    }

    private async Task<Dictionary<VipAddress, MacAddress>> ProbeOnceAsync(PlumbEffect[] plumbs, bool tell)
    {
        if (plumbs.Length == 0)
            return [];
        try
        {
            var answers = await _guard.ProbeAsync([.. plumbs.Select(plumb => plumb.Address.ToIPAddress())], _configuration.ProbeWait, _ending.Token);
            var found = answers.GroupBy(answer => VipAddress.From(answer.Address)).ToDictionary(group => group.Key, group => group.First().By);
            foreach (var (address, mac) in tell ? found : [])
                settings.Log(LogLevelHint.Warning, $"duravip: {address} answered by {mac}; retrying");
            return found;
        }
        catch (IOException)
        {
            return [];  // no guard: adding fails next, and says so
        }
    }

    private bool IsNewest(PlumbEffect plumb) => _newest.GetValueOrDefault(plumb.Address) == plumb.Operation;

    /// <param name="missed">How often the guard was gone: what a former one left on the host ends with its lease, and only then the others may be told that it is not here.</param>
    private async Task AddAsync(PlumbEffect[] plumbs, Audience audience, int missed = 0)
    {
        Task<IReadOnlyList<GuardResult>> adding;
        lock (_order)
        {
            plumbs = Array.FindAll(plumbs, IsNewest);
            if (plumbs.Length == 0)
                return;
            adding = _guard.AddAsync([.. plumbs.Select(plumb => plumb.Address.ToIPAddress())], _ending.Token);
        }
        IReadOnlyList<GuardResult> results;
        try
        {
            results = await adding;
        }
        catch (IOException) when (Pause * missed <= _configuration.Guard.Lease)
        {
            await Task.Delay(Pause, settings.Time, _ending.Token);
            await AddAsync(plumbs, audience, missed + 1);
            return;
        }
        catch (IOException e)
        {
            tell([.. plumbs.Select(plumb => new PlumbFailedEvent(plumb.Operation, e.Message))]);
            return;
        }
        var stale = plumbs.Where((_, i) => results[i].Outcome == GuardOutcome.Stale).ToArray();
        if (stale.Length > 0)
            _ = RunAsync(async () =>
            {
                await Task.Delay(NextBeat, settings.Time, _ending.Token);
                await AddAsync(stale, audience);
            });
        for (var i = 0; i < plumbs.Length; i++)
            if (!results[i].Ok && results[i].Outcome != GuardOutcome.Stale)
                tell([new PlumbFailedEvent(plumbs[i].Operation, $"{results[i].Outcome} {results[i].Detail}".TrimEnd())]);
        var added = plumbs.Where((_, i) => results[i].Ok).ToArray();
        if (added.Length == 0)
            return;
        lock (_order)
            _held.UnionWith(added.Where(IsNewest).Select(plumb => plumb.Address));
        Step(added, plumb => $"address added on {plumb.Placement.Interface}");
        _ = RunAsync(async () =>
        {
            await TellAsync([.. added.Select(plumb => plumb.Address)], audience);
            Step(added, _ => "neighbours told");
            tell([.. added.Select(plumb => new PlumbedEvent(plumb.Operation))]);
        });
    }

    private void Step(PlumbEffect[] plumbs, Func<PlumbEffect, string> text)
    {
        var at = settings.Time.GetUtcNow();
        later(() =>
        {
            foreach (var plumb in plumbs)
                settings.Observer?.Step(plumb.Address, text(plumb), at);
        });
    }

    private async Task TellAsync(IReadOnlyList<VipAddress> addresses, Audience audience)
    {
        try
        {
            await _guard.AnnounceAsync([.. addresses.Select(address => address.ToIPAddress())], audience.Scope, audience.Known, _ending.Token);
        }
        catch (IOException e)
        {
            settings.Log(LogLevelHint.Warning, $"duravip: neighbours could not be told: {e.Message}");
        }
    }

    private async Task RemoveAsync(Removal[] removals)
    {
        while (removals.Length > 0)
        {
            try
            {
                var results = await _guard.RemoveAsync([.. removals.Select(removal => removal.Unplumb.Address.ToIPAddress())], _ending.Token);
                var gone = removals.Where((_, i) => results[i].Ok).ToArray();
                lock (_order)
                    _held.ExceptWith(gone.Select(removal => removal.Unplumb.Address));
                // What was opened for an address that was never served.
                foreach (var (unplumb, _) in gone.Where(removal => removal.Drain is null))
                    await settings.Services.StopAsync(unplumb.Address, TimeSpan.Zero);
                tell([.. gone.Select(removal => new UnplumbedEvent(removal.Unplumb.Operation))]);
                foreach (var (removal, i) in removals.Select((removal, i) => (removal, i)).Where(pair => !results[pair.i].Ok))
                    settings.Log(LogLevelHint.Error, $"duravip: cannot remove {removal.Unplumb.Address}: {results[i].Outcome} {results[i].Detail}; trying again");
                removals = [.. removals.Except(gone)];
            }
            catch (IOException e)
            {
                settings.Log(LogLevelHint.Error, $"duravip: cannot remove {removals[0].Unplumb.Address}: {e.Message}; trying again");
            }
            if (removals.Length > 0)
                await Task.Delay(Pause, settings.Time, _ending.Token);
        }
    }

    private async Task WatchAsync()
    {
        try
        {
            while (!_ending.IsCancellationRequested)
            {
                await foreach (var notice in _guard.Notices.ReadAllAsync(_ending.Token))
                    Tell(notice);
                await RestartAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    }

    private void Tell(GuardNotice notice)
    {
        var (addresses, expired) = notice switch
        {
            GuardNotice.LeaseExpired(var left) => (left, true),
            GuardNotice.Vanished(var left) => (left, false),
            _ => ([], false),
        };
        tell([.. addresses.Select(address => new AddressGoneEvent(VipAddress.From(address), expired))]);
        if (notice is GuardNotice.Ended(var reason) && Volatile.Read(ref _disposed) == 0)
            settings.Log(LogLevelHint.Error, $"duravip: the address guard has ended ({reason}); starting another");
    }

    /// <summary>A new guard takes over what is still on the host.</summary>
    private async Task RestartAsync()
    {
        await _guard.DisposeAsync();
        while (true)
        {
            await Task.Delay(Pause, settings.Time, _ending.Token);
            try
            {
                _guard = await settings.StartGuard(_configuration.Guard, _ending.Token);
                break;
            }
            catch (Exception e) when (e is IOException or System.ComponentModel.Win32Exception)
            {
                settings.Log(LogLevelHint.Error, $"duravip: the address guard does not start: {e.Message}");
            }
        }
        if (Volatile.Read(ref _evidence) is > long.MinValue and var evidence)
            _guard.Beat(evidence);  // it knows of none, and would add nothing until the next
        VipAddress[] held;
        lock (_order)
            held = [.. _held];
        // The new guard holds nothing without a beat; what it does not take over runs out, is found missing and plumbed again.
        tell([.. held.Select(address => new AddressGoneEvent(address, LeaseExpired: true))]);
    }

    private async Task RunAsync(Func<Task> work)
    {
        try
        {
            await Task.Run(work);
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // Disposed: the guard takes off what is here.
        }
        catch (Exception failure)
        {
            settings.Log(LogLevelHint.Error, $"duravip: {failure}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await _ending.CancelAsync();
        await _watching;
        if (_guard is { } guard)
            await guard.DisposeAsync();
    }
}
