using System.Net.Sockets;
using Veredus.Acceptance.Tests.Support;

namespace Veredus.Acceptance.Tests;

/// <summary>What keeps a node from starting or from taking a configuration is said with its place and its exit code.</summary>
public sealed class StartTests
{
    [Fact]
    public async Task A_configuration_that_cannot_be_used_ends_with_78_and_names_file_line_and_code()
    {
        await using var node = NodeProcess.Prepare(one => one.Text("max_outbound_conections = 3\nretry_interval = soon"));
        var outcome = await NodeProcess.VeredusAsync("node", "run", "-c", node.ConfigurationFile);
        Assert.Equal(78, outcome.ExitCode);
        Assert.Contains($"CFG-0201 Name error in {node.ConfigurationFile} at line 11 column 1", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("did you mean 'max_outbound_connections'?", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("CFG-03", outcome.Error, StringComparison.Ordinal);

        File.WriteAllText(node.ConfigurationFile, "include \"/nonexistent/veredus.conf\"\n");
        outcome = await NodeProcess.VeredusAsync("node", "run", "-c", node.ConfigurationFile);
        Assert.Equal(78, outcome.ExitCode);
        Assert.Contains("CFG-04", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("/nonexistent/veredus.conf", outcome.Error, StringComparison.Ordinal);

        outcome = await NodeProcess.VeredusAsync("node", "run", "-c", Path.Combine(node.Directory, "none.conf"));
        Assert.Equal(78, outcome.ExitCode);
    }

    [Fact]
    public async Task A_file_is_named_from_where_the_operator_stands()
    {
        await using var node = NodeProcess.Prepare(one => one.Text("retry_interval = 5"));
        var program = Path.Combine(AppContext.BaseDirectory, "veredus");
        var outcome = await Outcome.RunAsync("sh", "-c", $"cd '{node.Directory}' && '{program}' config validate -c veredus.conf");
        Assert.True(outcome is { ExitCode: 0, Output: "Configuration valid\n" }, outcome.ToString());
    }

    [Fact]
    public async Task A_port_in_use_is_71_and_a_spool_in_use_is_73()
    {
        await using var node = await NodeProcess.StartAsync("suspend_delivery = true");
        await using var samePort = NodeProcess.Prepare(one => node.Text("").Replace(node.Directory, one.Directory, StringComparison.Ordinal));
        var outcome = await NodeProcess.VeredusAsync("node", "run", "-c", samePort.ConfigurationFile);
        Assert.True(outcome.ExitCode == 71, outcome.ToString());
        Assert.Contains($"{node.Smtp}", outcome.Error, StringComparison.Ordinal);

        await using var sameSpool = NodeProcess.Prepare(one => one.Text($"spoolbase = \"{node.Directory}/spool\""));
        outcome = await NodeProcess.VeredusAsync("node", "run", "-c", sameSpool.ConfigurationFile);
        Assert.True(outcome.ExitCode == 73, outcome.ToString());
        Assert.Contains($"{node.Directory}/spool", outcome.Error, StringComparison.Ordinal);

        // The first one is none the worse for it.
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO a.example", "250");
        Assert.StartsWith("250", await client.SendMessageAsync("a@example.com", "b@example.net"), StringComparison.Ordinal);
        Assert.Equal(0, (await node.ConsoleAsync("version")).ExitCode);
    }

    [Fact]
    public async Task A_bad_reload_changes_nothing_and_says_so_in_the_operators_words()
    {
        await using var node = await NodeProcess.StartAsync("suspend_delivery = true\nmemory_goal = 80");
        var good = await File.ReadAllTextAsync(node.ConfigurationFile);
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO a.example", "250");
        foreach (var (bad, named) in ((string, string)[])
            [("gateway = ", "CFG-01"), ("idle_timeout = never", "CFG-03"), ($"esmtp_listener {{ listen \"{node.Address}:2526\" {{ tls_certificate = \"/nonexistent.pem\" }} }}", "/nonexistent.pem")])
        {
            File.WriteAllText(node.ConfigurationFile, good + bad + "\n");
            var outcome = await node.ConsoleAsync("config", "reload");
            Assert.NotEqual(0, outcome.ExitCode);
            var said = outcome.Output + outcome.Error;
            Assert.Contains(named, said, StringComparison.Ordinal);
            Assert.EndsWith("Reconfigure failed.", said.TrimEnd(), StringComparison.Ordinal);
        }

        File.WriteAllText(node.ConfigurationFile, good);
        Assert.Equal(0, (await node.ConsoleAsync("config", "reload")).ExitCode);
        Assert.StartsWith("250", await client.SendMessageAsync("a@example.com", "b@example.net"), StringComparison.Ordinal);
        using (var closed = new TcpClient())
            await Assert.ThrowsAsync<SocketException>(() => closed.ConnectAsync(node.Address, 2526));
        // An option that has no effect was named at the start.
        Assert.Contains("CFG-0902 Warning in", node.Said, StringComparison.Ordinal);
        await node.StopAsync();
        Assert.Contains(node.Log("paniclog.ec"), line => line.Contains("Reconfigure failed", StringComparison.Ordinal));
    }
}
