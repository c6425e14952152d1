using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using Xunit.Abstractions;

namespace Veredus.Network.Tests;

/// <summary>The real guard process in a namespace, judged by the kernel's own notices from outside.</summary>
public sealed partial class AddressGuardTests(ITestOutputHelper output)
{
    private const int SigKill = 9, SigStop = 19, SigCont = 18, SigTerm = 15;
    private static readonly IPAddress s_vip4 = IPAddress.Parse("198.18.0.10"), s_vip6 = IPAddress.Parse("2001:db8::10");

    [NamespaceFact]
    public async Task It_adds_within_the_topology_and_refuses_the_rest()
    {
        await using var host = await Host.StartAsync();
        await host.Namespace.RunIpAsync("addr add 198.18.0.1/24 dev eth0", CancellationToken.None);
        IPAddress[] asked = [s_vip4, IPAddress.Parse("203.0.113.1"), IPAddress.Parse("198.18.0.1"), IPAddress.Parse("198.18.0.9"), IPAddress.Parse("198.19.0.1"), s_vip6];

        host.Guard.Beat();
        var results = await host.Guard.AddAsync(asked, CancellationToken.None).Within("the results");

        Assert.Equal(asked, results.Select(result => result.Address));
        Assert.Equal(
            [GuardOutcome.Done, GuardOutcome.NotAllowed, GuardOutcome.MainAddress, GuardOutcome.NotAllowed, GuardOutcome.NoInterface, GuardOutcome.Done],
            results.Select(result => result.Outcome));
        Assert.Equal(["198.18.0.1/24", "198.18.0.10/32", "2001:db8::10/128"], host.Addresses());
    }

    [NamespaceFact]
    public async Task It_never_removes_what_is_not_a_virtual_address()
    {
        await using var host = await Host.StartAsync();
        await host.Namespace.RunIpAsync("addr add 198.18.0.1/24 dev eth0", CancellationToken.None);
        await host.Namespace.RunIpAsync("addr add 203.0.113.1/32 dev eth0", CancellationToken.None);
        await host.Namespace.RunIpAsync("addr add 198.18.0.9/32 dev eth0", CancellationToken.None);

        var results = await host.Guard.RemoveAsync(
            [IPAddress.Parse("198.18.0.1"), IPAddress.Parse("203.0.113.1"), IPAddress.Parse("198.18.0.9"), s_vip4], CancellationToken.None).Within("the results");

        Assert.Equal([GuardOutcome.MainAddress, GuardOutcome.NotAllowed, GuardOutcome.NotAllowed, GuardOutcome.Absent], results.Select(result => result.Outcome));
        Assert.Equal(["198.18.0.1/24", "198.18.0.9/32", "203.0.113.1/32"], host.Addresses());
    }

    [NamespaceFact]
    public async Task A_fresh_start_removes_configured_addresses_and_tagged_leftovers_only()
    {
        await using var host = await Host.StartAsync();
        foreach (var address in (string[])["198.18.0.1/24", "198.18.0.10/32", "198.18.0.11/32", "203.0.113.1/32"])
            await host.Namespace.RunIpAsync($"addr add {address} dev eth0", CancellationToken.None);
        host.LeaveBehind(IPAddress.Parse("198.18.0.50"));

        var cleaned = await host.Guard.CleanAsync([s_vip4, IPAddress.Parse("198.18.0.1")], CancellationToken.None).Within("the results");

        Assert.Equal(
            ["198.18.0.1 MainAddress", "198.18.0.10 Done", "198.18.0.50 Done"],
            cleaned.Select(result => $"{result.Address} {result.Outcome}").Order(StringComparer.Ordinal));
        Assert.Equal(["198.18.0.1/24", "198.18.0.11/32", "203.0.113.1/32"], host.Addresses());
    }

    [NamespaceFact]
    public async Task Without_a_sign_of_life_it_adds_nothing()
    {
        await using var host = await Host.StartAsync();

        var stale = await host.Guard.AddAsync([s_vip4], CancellationToken.None).Within("the result");
        host.Guard.Beat();
        var fresh = await host.Guard.AddAsync([s_vip4], CancellationToken.None).Within("the result");

        Assert.Equal((GuardOutcome.Stale, GuardOutcome.Done), (stale[0].Outcome, fresh[0].Outcome));
    }

    [NamespaceFact]
    public async Task When_the_node_closes_its_guard_nothing_stays()
    {
        await using var host = await Host.StartAsync();
        host.Guard.Beat();
        await host.Guard.AddAsync([s_vip4, s_vip6], CancellationToken.None).Within("the results");

        await host.Guard.DisposeAsync();

        Assert.Empty(host.Addresses());
        Assert.IsType<GuardNotice.Ended>(await host.Guard.Notices.ReadAsync());
    }

    [NamespaceFact]
    public async Task When_the_node_freezes_its_addresses_go_when_the_lease_is_over()
    {
        await using var host = await Host.StartAsync(lease: TimeSpan.FromSeconds(1), hold: TimeSpan.FromSeconds(0.5));
        using var monitor = await host.Namespace.RunAsync(() => new NetlinkMonitor());
        host.Guard.Beat();
        await host.Guard.AddAsync([s_vip4, s_vip6], CancellationToken.None).Within("the results");
        var lastBeat = Stopwatch.GetTimestamp();
        host.Guard.Beat();

        var gone = await RemovalsAsync(monitor, 2).Within("the end of the lease");

        var took = Stopwatch.GetElapsedTime(lastBeat, gone);
        output.WriteLine($"gone {took.TotalMilliseconds:F0} ms after the last beat; hold 500 + lease 1000");
        // The last renewal comes at most a hold after the last beat, and at least three quarters of a lease before its end.
        Assert.InRange(took, TimeSpan.FromMilliseconds(900), TimeSpan.FromMilliseconds(2500));
        var notice = await host.Guard.Notices.ReadAsync().AsTask().Within("the notice");
        Assert.Equal(2, Assert.IsType<GuardNotice.LeaseExpired>(notice).Addresses.Count);
        // The node may come back: the guard still serves it.
        host.Guard.Beat();
        Assert.True((await host.Guard.AddAsync([s_vip4], CancellationToken.None).Within("the result"))[0].Ok);
    }

    [NamespaceFact]
    public async Task Beats_keep_the_addresses_beyond_their_lifetime()
    {
        await using var host = await Host.StartAsync(lease: TimeSpan.FromSeconds(1), hold: TimeSpan.FromSeconds(2));
        using var monitor = await host.Namespace.RunAsync(() => new NetlinkMonitor());
        host.Guard.Beat();
        await host.Guard.AddAsync([s_vip4, s_vip6], CancellationToken.None).Within("the results");
        var renewals = 0;

        // Each renewal shows as a notice of the kernel; it is answered with the next beat. 28 of them are 14 for each address, 3.5 lifetimes and more than the hold time.
        await foreach (var change in monitor.ReadAllAsync(CancellationToken.None))
        {
            Assert.IsNotType<NetworkChange.AddressRemoved>(change);
            if (change is NetworkChange.AddressAdded)
                host.Guard.Beat();
            if (++renewals == 28)
                break;
        }

        Assert.Equal(["198.18.0.10/32", "2001:db8::10/128"], host.Addresses());
    }

    [NamespaceFact]
    public async Task When_the_guard_is_killed_the_kernel_removes_the_addresses()
    {
        await using var host = await Host.StartAsync(lease: TimeSpan.FromSeconds(1), hold: TimeSpan.FromSeconds(0.5));
        using var monitor = await host.Namespace.RunAsync(() => new NetlinkMonitor());
        host.Guard.Beat();
        await host.Guard.AddAsync([s_vip4, s_vip6], CancellationToken.None).Within("the results");

        var start = Stopwatch.GetTimestamp();
        Assert.Equal(0, Kill(host.Guard.ProcessId, SigKill));
        var ended = await host.Guard.Notices.ReadAsync().AsTask().Within("the notice of the guard's end");
        var gone = await RemovalsAsync(monitor, 2).Within("the end of the kernel lifetimes");

        output.WriteLine($"gone {Stopwatch.GetElapsedTime(start, gone).TotalMilliseconds:F0} ms after SIGKILL of the guard; lease 1000");
        Assert.Contains("exit code 137", Assert.IsType<GuardNotice.Ended>(ended).Reason, StringComparison.Ordinal);
        await Assert.ThrowsAsync<IOException>(() => host.Guard.AddAsync([s_vip4], CancellationToken.None));
        Assert.InRange(Stopwatch.GetElapsedTime(start, gone), TimeSpan.Zero, TimeSpan.FromSeconds(2.5));
    }

    [NamespaceFact]
    public async Task A_guard_that_slept_through_its_lease_says_so_and_puts_nothing_back()
    {
        await using var host = await Host.StartAsync(lease: TimeSpan.FromSeconds(1), hold: TimeSpan.FromSeconds(0.5));
        using var monitor = await host.Namespace.RunAsync(() => new NetlinkMonitor());
        host.Guard.Beat();
        await host.Guard.AddAsync([s_vip4], CancellationToken.None).Within("the results");

        Kill(host.Guard.ProcessId, SigStop);
        await RemovalsAsync(monitor, 1).Within("the end of the kernel lifetime");
        host.Guard.Beat();
        Kill(host.Guard.ProcessId, SigCont);

        var notice = await host.Guard.Notices.ReadAsync().AsTask().Within("the notice");
        Assert.Equal([s_vip4], Assert.IsType<GuardNotice.Vanished>(notice).Addresses);
        host.Guard.Beat();
        await host.Guard.ProbeAsync([], TimeSpan.Zero, CancellationToken.None).Within("an answer");
        Assert.Empty(host.Addresses());
    }

    [NamespaceFact]
    public async Task An_address_taken_off_by_somebody_else_is_reported_and_not_put_back()
    {
        await using var host = await Host.StartAsync();
        host.Guard.Beat();
        await host.Guard.AddAsync([s_vip4, s_vip6], CancellationToken.None).Within("the results");

        await host.Namespace.RunIpAsync("addr del 198.18.0.10/32 dev eth0", CancellationToken.None);

        var notice = await host.Guard.Notices.ReadAsync().AsTask().Within("the notice");
        Assert.Equal([s_vip4], Assert.IsType<GuardNotice.Vanished>(notice).Addresses);
        Assert.Equal(["2001:db8::10/128"], host.Addresses());
    }

    [NamespaceFact]
    public async Task Removing_and_adding_again_at_once_is_not_taken_for_a_loss()
    {
        await using var host = await Host.StartAsync();
        host.Guard.Beat();
        for (var round = 0; round < 20; round++)
        {
            var add = host.Guard.AddAsync([s_vip4], CancellationToken.None);
            var remove = host.Guard.RemoveAsync([s_vip4], CancellationToken.None);
            Assert.True((await add.Within("add"))[0].Ok && (await remove.Within("remove"))[0].Outcome == GuardOutcome.Done);
        }

        await host.Guard.AddAsync([s_vip4], CancellationToken.None).Within("add");

        Assert.False(host.Guard.Notices.TryRead(out _));
        Assert.Equal(["198.18.0.10/32"], host.Addresses());
    }

    [NamespaceFact]
    public async Task A_signal_to_the_group_does_not_end_the_guard_before_the_node()
    {
        await using var host = await Host.StartAsync();
        host.Guard.Beat();
        await host.Guard.AddAsync([s_vip4], CancellationToken.None).Within("the results");

        Kill(host.Guard.ProcessId, SigTerm);

        Assert.True((await host.Guard.RemoveAsync([s_vip4], CancellationToken.None).Within("the result"))[0].Ok);
    }

    [NamespaceFact]
    public async Task A_smaller_topology_lets_go_of_what_is_outside()
    {
        await using var host = await Host.StartAsync();
        host.Guard.Beat();
        await host.Guard.AddAsync([s_vip4, s_vip6], CancellationToken.None).Within("the results");

        await host.Guard.ConfigureAsync(Host.Settings([new(IPNetwork.Parse("2001:db8::/64"), "eth0", 128)], TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(2)), CancellationToken.None);

        Assert.Equal(["2001:db8::10/128"], host.Addresses());
    }

    [NamespaceFact]
    public async Task An_interface_that_comes_later_is_found()
    {
        await using var host = await Host.StartAsync();
        var later = IPAddress.Parse("198.19.0.1");
        host.Guard.Beat();
        Assert.Equal(GuardOutcome.NoInterface, (await host.Guard.AddAsync([later], CancellationToken.None).Within("the result"))[0].Outcome);

        await host.Namespace.ConnectAsync("eth7", host.Namespace, "stub7", CancellationToken.None);

        Assert.True((await host.Guard.AddAsync([later], CancellationToken.None).Within("the result"))[0].Ok);
    }

    [NamespaceFact]
    public async Task An_address_on_the_wrong_interface_is_moved()
    {
        await using var host = await Host.StartAsync();
        await host.Namespace.RunIpAsync("addr add 198.18.0.10/32 dev stub", CancellationToken.None);

        host.Guard.Beat();
        Assert.True((await host.Guard.AddAsync([s_vip4], CancellationToken.None).Within("the result"))[0].Ok);

        Assert.Equal(["198.18.0.10/32"], host.Addresses());
        Assert.Empty(host.Addresses("stub"));
    }

    private static async Task<long> RemovalsAsync(NetlinkMonitor monitor, int count)
    {
        await foreach (var change in monitor.ReadAllAsync(CancellationToken.None))
            if (change is NetworkChange.AddressRemoved && --count == 0)
                return Stopwatch.GetTimestamp();
        throw new InvalidOperationException("The monitor ended.");
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    private sealed class Host : IAsyncDisposable
    {
        private Rtnetlink _netlink = null!;

        public required NetworkNamespace Namespace { get; init; }
        public AddressGuardProcess Guard { get; private set; } = null!;

        public static GuardSettings Settings(TopologyBlock[] blocks, TimeSpan lease, TimeSpan hold) =>
            new(new Topology(blocks), [IPAddress.Parse("198.18.0.9")], lease, hold);

        public static async Task<Host> StartAsync(TimeSpan? lease = null, TimeSpan? hold = null)
        {
            var host = new Host { Namespace = await TestNamespace.WithInterfaceAsync() };
            host._netlink = await host.Namespace.RunAsync(() => new Rtnetlink());
            TopologyBlock[] blocks =
            [
                new(IPNetwork.Parse("198.18.0.0/16"), "eth0", 32), new(IPNetwork.Parse("198.19.0.0/24"), "eth7", 32), new(IPNetwork.Parse("2001:db8::/64"), "eth0", 128),
            ];
            host.Guard = await AddressGuardProcess.StartAsync(
                Settings(blocks, lease ?? TimeSpan.FromSeconds(30), hold ?? TimeSpan.FromSeconds(20)),
                [.. host.Namespace.ExecPrefix, Path.Combine(AppContext.BaseDirectory, "vipd")], CancellationToken.None).Within("the guard's start");
            return host;
        }

        /// <summary>What an interface has, but for the link-local address that the kernel gives.</summary>
        public string[] Addresses(string name = "eth0")
        {
            var index = _netlink.GetLinks().Single(link => link.Name == name).Index;
            return [.. _netlink.GetAddresses().Where(info => info.LinkIndex == index && !info.Address.IsIPv6LinkLocal)
                .Select(info => $"{info.Address}/{info.PrefixLength}").Order(StringComparer.Ordinal)];
        }

        /// <summary>What an earlier run would have left: an address with our tag.</summary>
        public void LeaveBehind(IPAddress address)
        {
            var eth0 = _netlink.GetLinks().Single(link => link.Name == "eth0").Index;
            _netlink.Add([new(address, 32, eth0)], lifetimeSeconds: null, renew: false, new KernelAnswer[1]);
        }

        public async ValueTask DisposeAsync()
        {
            await Guard.DisposeAsync();
            _netlink.Dispose();
            await Namespace.DisposeAsync();
        }
    }
}
