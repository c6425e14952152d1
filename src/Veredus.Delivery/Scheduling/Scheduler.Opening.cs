using System.Net;

namespace Veredus.Delivery;

/// <summary>Opening connections (<c>mta.md</c> 6.2).</summary>
internal sealed partial class Scheduler
{
    /// <summary>How often waiting messages of a queue that can't deliver are looked through for expired ones.</summary>
    private const long SweepMs = 60_000;

    /// <summary>Idle connections looked at to find one whose place another queue needs.</summary>
    private const int IdleSearch = 32;

    private const int MaxTargets = 64;

    private const string HostScope = "host of ";

    /// <summary>Something may have become possible for this queue: uses idle connections, opens new ones, or notes what it waits for.</summary>
    public void Advance(DeliveryQueue queue, Moment now)
    {
        Consider(queue, now);
        if (queue.Active.Count == 0 || queue.Connections.Count > 0)
            queue.SweepAt = long.MaxValue;
        else if (queue.SweepAt == long.MaxValue)
            queue.SweepAt = now.Ms + SweepMs;
        Rearm(queue);
    }

    private void Consider(DeliveryQueue queue, Moment now)
    {
        queue.LookAt = long.MaxValue;
        PurgeStep(queue, now);
        if (queue.Active.Count == 0 || queue.PurgeLeft > 0 || !IsRunning)
            return;
        Refresh(queue);
        if (queue.Policy.Blackhole)
        {
            SettleActive(queue, DeliveryReplies.Blackholed, now);
            return;
        }
        if (!MayDeliver(queue))
            return;
        WakeIdle(queue, now);
        while (queue.Line is null && TryOpen(queue, now))
        {
        }
    }

    private bool MayDeliver(DeliveryQueue queue) =>
        !queue.Policy.Suspended && !queue.Binding.IsMove && presence.IsHere(queue.Binding.Group.Name, queue.Binding.Name);

    /// <summary>Opens one connection if that is wanted and allowed; else notes when to look again, or joins the line of what is missing.</summary>
    private bool TryOpen(DeliveryQueue queue, Moment now)
    {
        var at = OpeningRule.NextOpening(queue.Active.Count, queue.Connections.Count, queue.Policy.MaxConnections, queue.Policy.Growth, queue.LastOpened, now.Ms);
        if (at > now.Ms)
        {
            queue.LookAt = at;
            return false;
        }
        if (!HasRoute(queue, now))
            return false;
        if (queue.MessageRate is { } messages && queue.Grants == 0 && (messages.Waiting > 0 || !messages.IsReady(now.Ms)))
        {
            Await(messages, queue, now);
            return false;
        }
        foreach (var limit in queue.Limits)
        {
            if (limit.HasRoom && (limit.Waiting == 0 || IsAdmitted(queue, limit)))
                continue;
            limit.Join(queue);
            MakeRoom(limit);
            return false;
        }
        var choice = Choose(queue, null, now, out var target);
        if (target is null)
        {
            if (choice.Full >= 0)
                FullLimit(HostLimits(queue, Targets(queue)[choice.Full].Host))!.Join(queue);
            else if (choice.RestsUntil != long.MaxValue)
                queue.LookAt = choice.RestsUntil;
            else
                SettleActive(queue, DeliveryReplies.NoValidHosts(queue.Domain.Name, "no address of a family that the binding can use"), now);
            return false;
        }
        if (queue.ConnectionRate is { } rate)
        {
            if ((rate.Waiting > 0 && !IsAdmitted(queue, rate)) || !rate.TryTake(now.Ms))
            {
                Await(rate, queue, now);
                return false;
            }
        }
        Open(queue, target, now);
        _admitted = default;  // one per turn: whoever wants more stands in line again
        return true;
    }

    private void Open(DeliveryQueue queue, Target target, Moment now)
    {
        var connection = new OutboundConnection(++_connectionNumber, queue) { OpenedAt = now.Ms, StateSince = now.Ms, Held = queue.Limits };
        foreach (var limit in connection.Held)
            limit.Used++;
        Aim(connection, target, now);
        queue.Connections.Add(connection);
        queue.LastOpened = now.Ms;
        queue.Binding.Connections++;
        queue.Domain.Connections++;
        Connections++;
        shell.Start(connection);
    }

    /// <summary>The chosen address did not work: releases it, and gives the next one if there is one.</summary>
    public Target? NextTarget(OutboundConnection connection, bool failed, Moment now)
    {
        if (connection.Target is { } target)
        {
            if (failed)
                target.Address.Failed(now.Ms, connection.Queue.Policy.HostFailureRetrySeconds);
            connection.Tried.Add(target.Address);
            Unaim(connection, now);
        }
        if (!IsRunning || connection.MustQuit)
            return null;
        _ = Choose(connection.Queue, connection.Tried, now, out var next);
        if (next is not null)
            Aim(connection, next, now);
        return next;
    }

    /// <summary>The session stands: what was learned about the address and the queue.</summary>
    public static void Connected(OutboundConnection connection, double milliseconds, Moment now)
    {
        connection.Target!.Address.Connected(milliseconds, now.Ms);
        connection.Queue.FailingSince = null;
        connection.Queue.Domain.ConnectFailures = 0;
        (connection.State, connection.StateSince) = (ConnectionState.Busy, now.Ms);
    }

    /// <summary>No address could be reached: charges the messages the connection was opened for, or the whole queue (<c>mta.md</c> 5).</summary>
    public void OpeningFailed(OutboundConnection connection, Ending ending, Moment now)
    {
        var queue = connection.Queue;
        queue.FailingSince ??= now.Ms;
        queue.Domain.ConnectFailures++;
        if (ReferenceEquals(ending.Reply, DeliveryReplies.LocalAddressMissing))
        {
            SettleActive(queue, ending, now);
            return;
        }
        var batch = queue.Active.First?.Batch;
        while (queue.Active.First is { } message && message.Batch == batch)
            Settle(message, ending);
        if (MustDelayAll(queue, connection.Tried, now))
            SettleActive(queue, DeliveryReplies.NoMxReachable, now);
    }

    private static bool MustDelayAll(DeliveryQueue queue, List<AddressRecord> tried, Moment now)
    {
        var policy = queue.Policy;
        if (policy.ConnectTimeoutToDelaySeconds > 0 && now.Ms - queue.FailingSince >= policy.ConnectTimeoutToDelaySeconds * 1000L)
            return true;
        return policy.MxFailuresToDelay > 0 && tried.Count > 0 && tried.TrueForAll(address => address.FailuresInARow >= policy.MxFailuresToDelay);
    }

    /// <summary>A connection has ended, however.</summary>
    /// <param name="hostFailed">It ended without having been of use: leave the address alone for a while.</param>
    public void Closed(OutboundConnection connection, bool hostFailed, Moment now)
    {
        var queue = connection.Queue;
        if (connection.Target is { } target && hostFailed)
            target.Address.Failed(now.Ms, queue.Policy.HostFailureRetrySeconds);
        Unaim(connection, now);
        connection.State = ConnectionState.Closing;
        queue.Connections.Remove(connection);
        if (--queue.Binding.Connections == 0)
        {
            queue.Binding.Quiet?.SetResult();
            queue.Binding.Quiet = null;
        }
        queue.Domain.Connections--;
        Connections--;
        foreach (var limit in connection.Held)
            limit.Used--;
        Advance(queue, now);
        foreach (var limit in connection.Held)
            Serve(limit, now);
        connection.Held = [];
        if (queue.IsUnused)
            Vacate(queue, now);
    }

    private static OutboundConnectionTarget[] Targets(DeliveryQueue queue)
    {
        var (port, policy, targets) = (queue.Policy.Port, queue.Policy, new List<OutboundConnectionTarget>());
        foreach (var host in queue.Domain.Route!.Hosts)
            foreach (var address in host.Addresses)
                if (targets.Count < MaxTargets && CanReach(policy, address))
                    targets.Add(new(host, new(address, host.Port ?? port)));
        return [.. targets];
    }

    /// <summary>Only families that the binding has a source address for; without any source address, all.</summary>
    private static bool CanReach(SendingPolicy policy, IPAddress address)
    {
        if (policy.BindAddress is null && policy.BindAddressSecondary is null)
            return true;
        return policy.BindAddress?.AddressFamily == address.AddressFamily || policy.BindAddressSecondary?.AddressFamily == address.AddressFamily;
    }

    private TargetChoice Choose(DeliveryQueue queue, List<AddressRecord>? tried, Moment now, out Target? target)
    {
        var targets = Targets(queue);
        Span<TargetCandidate> candidates = stackalloc TargetCandidate[MaxTargets];
        for (var i = 0; i < targets.Length; i++)
        {
            var record = Addresses.Get(targets[i].Endpoint, now.Ms);
            candidates[i] = new(targets[i].Host.Rank, tried?.Contains(record) ?? false, record.RestsUntil, FullLimit(HostLimits(queue, targets[i].Host)) is not null, record.Open);
        }
        var choice = TargetChoice.Among(candidates[..targets.Length], now.Ms, queue.Domain.Turn++);
        target = choice.Index < 0 ? null : new(targets[choice.Index].Host, Addresses.Get(targets[choice.Index].Endpoint, now.Ms));
        return choice;
    }

    private void Aim(OutboundConnection connection, Target target, Moment now)
    {
        connection.Target = target;
        target.Address.Open++;
        target.Address.LastUsed = now.Ms;
        connection.HostHeld = HostLimits(connection.Queue, target.Host);
        foreach (var limit in connection.HostHeld)
            limit.Used++;
    }

    private void Unaim(OutboundConnection connection, Moment now)
    {
        if (connection.Target is { } target)
            target.Address.Open--;
        connection.Target = null;
        var held = connection.HostHeld;
        connection.HostHeld = [];
        foreach (var limit in held)
            limit.Used--;
        foreach (var limit in held)
            Serve(limit, now);
    }

    private SharedLimit[] HostLimits(DeliveryQueue queue, RouteHost host)
    {
        var binding = queue.Binding;
        if (binding.HostLimitsVersion != policies.Version)
        {
            binding.HostLimits.Clear();
            binding.HostLimitsVersion = policies.Version;
        }
        if (binding.HostLimits.TryGetValue(host.Name, out var limits))
            return limits;
        limits = [];
        if (policies.Host(binding.Group.Name, binding.Name, host.Name) is { } policy)
        {
            limits = LimitsOf(policy.Shared);
            if (policy.MaxConnections >= 0)
                limits = [.. limits, .. LimitsOf([new($"{HostScope}{binding.Group.Name}/{binding.Name} {host.Name}", policy.MaxConnections)])];
        }
        if (binding.HostLimits.Count > 10_000)
            binding.HostLimits.Clear();
        binding.HostLimits[host.Name] = limits;
        return limits;
    }

    private static SharedLimit? FullLimit(SharedLimit[] limits) => Array.Find(limits, limit => !limit.HasRoom);

    private readonly record struct OutboundConnectionTarget(RouteHost Host, IPEndPoint Endpoint);
}
