using Veredus.Cluster;
using Veredus.Node.Control;
using Veredus.Node.Tests.Support;

namespace Veredus.Node.Tests;

/// <summary>Commands that come from another member: carried out as on the console, with the caller's rights, and recorded.</summary>
public sealed class DelegatedCommandTests
{
    private static readonly TimeSpan s_hang = TimeSpan.FromSeconds(90);
    private static readonly DelegationCaller s_ana = new("ana", ["readers"]);

    [Fact]
    public async Task A_node_answers_as_its_console_does_and_records_who_asked()
    {
        var (node, network) = await StartAsync("cluster { nodename = mta1 }");
        await using var _ = node;

        var answer = Assert.Single(await network.Group!.Delegation.RunToEndAsync(DelegationTarget.All, "json version", s_ana, s_hang));

        Assert.Equal(("mta1", true), (answer.Node, answer.IsOk));
        Assert.Contains("\"product\":\"veredus\"", answer.Lines.Single());
        Assert.Contains(node.Log("acctlog.ec"), line => line.EndsWith("@Z@cluster:mta1@@ana@1@version@", StringComparison.Ordinal) || line.EndsWith("@Z@cluster:mta1@@ana@1@version", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Where_roles_are_defined_the_callers_roles_decide_again_on_the_node()
    {
        const string roles = """authorization { role "readers" { allow = ( "version" ) } }""";
        var (node, network) = await StartAsync($"cluster {{ nodename = mta1 }} {roles}");
        await using var _ = node;
        var delegation = network.Group!.Delegation;

        Assert.True((await delegation.RunToEndAsync(DelegationTarget.All, "version", s_ana, s_hang)).Single().IsOk);
        Assert.Equal((403, "Not Authorized for this command"), (await delegation.RunToEndAsync(DelegationTarget.All, "shutdown", s_ana, s_hang)).Select(answer => (answer.Code, answer.Text)).Single());
        Assert.Contains(node.Log("acctlog.ec"), line => line.Contains("@Z@cluster:mta1@@ana@0@shutdown", StringComparison.Ordinal));
        Assert.Contains(node.Log("acctlog.ec"), line => line.EndsWith("@ana@1@version@readers", StringComparison.Ordinal));

        await node.ReloadAsync($"cluster {{ nodename = mta1 delegated_authorization = trust }} {roles}");
        Assert.Equal("noted", (await delegation.RunToEndAsync(DelegationTarget.All, "note trusted now", s_ana, s_hang)).Single().Text);
    }

    [Fact]
    public async Task What_is_no_command_is_an_answer_too()
    {
        var (node, network) = await StartAsync("cluster { nodename = mta1 }");
        await using var _ = node;

        var answers = await Task.WhenAll(((string[])["no such thing", "say \"unclosed", "json pid", "   "])
            .Select(command => network.Group!.Delegation.RunToEndAsync(DelegationTarget.All, command, s_ana, s_hang)));

        Assert.Equal([400, 400, 400, 0], answers.Select(answer => answer.Single().Code));
    }

    [Fact]
    public async Task A_node_without_a_cluster_stanza_is_in_no_group()
    {
        var (node, network) = await StartAsync("");
        await using var _ = node;

        Assert.Null(network.Group);
    }

    private static async Task<(TestNode Node, ClusterNetwork Network)> StartAsync(string configuration)
    {
        ControlEndpoints control = null!;
        var network = new ClusterNetwork("1.0.0-test", () => control.Runner);
        control = new("1.0.0-test");
        return (await TestNode.StartAsync($$"""control_listener { listen "{DIR}/control.sock" { } } {{configuration}}""", options => options with { Services = [control, network] }), network);
    }
}
