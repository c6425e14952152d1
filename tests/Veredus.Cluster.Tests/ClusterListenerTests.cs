using System.IO.Pipelines;
using System.Net;
using System.Text;

namespace Veredus.Cluster.Tests;

public sealed class ClusterListenerTests : IAsyncLifetime, IAsyncDisposable
{
    private static readonly Incarnation s_here = new(100), s_there = new(200);
    private readonly ClusterAuthority _authority = ClusterAuthority.Create("test", TimeProvider.System);
    private readonly ClusterIdentity _here, _there;
    private readonly TaskCompletionSource<string> _reported = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ClusterListener _listener;
    private ClusterMembership _membership;

    public ClusterListenerTests()
    {
        (_here, _there) = (_authority.Issue("mta1", TimeProvider.System), _authority.Issue("mta2", TimeProvider.System));
        _membership = new(new(1, 1), [new(new(1, 1), Hello("mta1", s_here)), new(new(2, 2), Hello("mta2", s_there))]);
        _listener = new(new(new(IPAddress.Loopback, 0), "mta1", s_here), _here, () => _membership, [new Echo()], (_, why) => _reported.TrySetResult(why));
    }

    [Fact]
    public async Task A_member_is_served_and_both_know_whom_they_talk_to()
    {
        await using var connection = await OpenAsync("echo", _there, s_there);

        await connection.Transport.Output.WriteAsync("hello\n"u8.ToArray());
        var answer = await connection.Transport.Input.ReadAtLeastAsync("mta2: hello\n".Length).AsTask().WaitAsync(TimeSpan.FromSeconds(20));

        Assert.Equal("mta2: hello\n", Encoding.ASCII.GetString(answer.Buffer));
        Assert.Equal("mta1", connection.Peer.NodeName);
    }

    [Fact]
    public async Task A_service_that_nobody_offers_is_refused() =>
        Assert.Equal(550, (await Assert.ThrowsAsync<ClusterConnectionException>(() => OpenAsync("nothing", _there, s_there))).Code);

    [Fact]
    public async Task A_process_that_is_not_in_the_membership_is_refused()
    {
        _membership = _membership with { Members = [_membership.Members[0]] };

        Assert.Equal(551, (await Assert.ThrowsAsync<ClusterConnectionException>(() => OpenAsync("echo", _there, s_there))).Code);
    }

    [Fact]
    public async Task An_earlier_run_of_a_member_is_refused() =>
        Assert.Equal(552, (await Assert.ThrowsAsync<ClusterConnectionException>(() => OpenAsync("echo", _there, new(199)))).Code);

    [Fact]
    public async Task A_member_from_another_address_is_refused()
    {
        _membership = _membership with { Members = [.. _membership.Members.Select(member => member with { Hello = member.Hello! with { Address = IPEndPoint.Parse("192.0.2.9:4802") } })] };

        Assert.Equal(551, (await Assert.ThrowsAsync<ClusterConnectionException>(() => OpenAsync("echo", _there, s_there))).Code);
    }

    [Fact]
    public async Task A_certificate_of_another_cluster_gets_nowhere()
    {
        using var stranger = ClusterAuthority.Create("test", TimeProvider.System);
        using var forged = stranger.Issue("mta2", TimeProvider.System);

        var failure = await Assert.ThrowsAsync<ClusterConnectionException>(() => OpenAsync("echo", forged, s_there));

        Assert.Equal(0, failure.Code);
        await _reported.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task A_listener_that_proves_to_be_another_member_is_not_spoken_to()
    {
        using var third = _authority.Issue("mta3", TimeProvider.System);
        await using var impostor = new ClusterListener(new(new(IPAddress.Loopback, 0), "mta1", s_here), third, () => _membership, [new Echo()], (_, _) => { });

        await Assert.ThrowsAsync<ClusterConnectionException>(() => ClusterConnection.OpenAsync(
            Hello("mta1", s_here) with { Address = impostor.Address }, "echo", _there, s_there, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public async Task An_identity_survives_its_files()
    {
        using var read = ClusterIdentity.FromPem(_there.ExportPem(), _there.ExportAuthorityPem());
        using var authority = ClusterAuthority.FromPem(_authority.ExportPem());
        using var another = authority.Issue("mta2", TimeProvider.System);

        await using var first = await OpenAsync("echo", read, s_there);
        await using var second = await OpenAsync("echo", another, s_there);
    }

    [Theory]
    [InlineData("220 mta1 ECCluster/1 0000000000000064", true)]
    [InlineData("220 mta1 ECCluster/2 0000000000000064", false)]
    [InlineData("220 mta1 ECCluster/1 64", false)]
    [InlineData("421 shutting down", false)]
    [InlineData("", false)]
    public void Only_a_greeting_reads_as_one(string line, bool expected) => Assert.Equal(expected, ChannelLines.TryReadGreeting(line, out _, out _));

    private Task<ClusterConnection> OpenAsync(string service, ClusterIdentity identity, Incarnation incarnation) => ClusterConnection.OpenAsync(
        Hello("mta1", s_here) with { Address = _listener.Address }, service, identity, incarnation, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20));

    private static Hello Hello(string name, Incarnation incarnation) =>
        new(MemberKind.Veredus, name, "default", "1.0.0", new(IPAddress.Loopback, 4802), ["ec_cluster"], incarnation);

    public Task InitializeAsync() => Task.CompletedTask;

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        await _listener.DisposeAsync();
        _here.Dispose();
        _there.Dispose();
        _authority.Dispose();
    }

    private sealed class Echo : IClusterService
    {
        public string Name => "echo";

        public async Task ServeAsync(ClusterPeer peer, IDuplexPipe connection, CancellationToken cancellationToken)
        {
            await connection.Output.WriteAsync(Encoding.ASCII.GetBytes($"{peer.NodeName}: "), cancellationToken);
            await connection.Input.CopyToAsync(connection.Output, cancellationToken);
        }
    }
}
