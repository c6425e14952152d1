using System.Diagnostics;

namespace Veredus.Cluster.Tests;

public sealed class CorosyncConfigurationTests
{
    [Fact]
    public void Peers_become_an_encrypted_knet_ring()
    {
        var text = Configuration([new("mta1", "198.18.9.1"), new("mta2", "198.18.9.2 7"), new("mgr1", "198.18.9.3")]).Render();

        Assert.Contains("transport: knet", text, StringComparison.Ordinal);
        Assert.Contains("crypto_cipher: aes256", text, StringComparison.Ordinal);
        Assert.Contains("crypto_hash: sha256", text, StringComparison.Ordinal);
        Assert.Contains("    mcastport: 4809\n", text, StringComparison.Ordinal);
        Assert.Contains("    nodeid: 7\n    name: mta2\n    ring0_addr: 198.18.9.2\n", text, StringComparison.Ordinal);
        Assert.Contains("    nodeid: 3\n    name: mgr1\n", text, StringComparison.Ordinal);
        Assert.Contains("    knet_ping_timeout: 500\n", text, StringComparison.Ordinal);  // knet's own would split the survivors of a failure
        Assert.Contains("  seqno_unchanged_const: 3\n", text, StringComparison.Ordinal);  // after each heartbeat 30 rounds of the token otherwise
        Assert.DoesNotContain("two_node", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_addresses_make_two_links()
    {
        var text = Configuration([new("mta1", "198.18.9.1,198.18.10.1"), new("mta2", "198.18.9.2,198.18.10.2")]).Render();

        Assert.Contains("    linknumber: 1\n    mcastport: 4810\n", text, StringComparison.Ordinal);
        Assert.Contains("  link_mode: active\n", text, StringComparison.Ordinal);  // a dead link must cost neither the token nor half a second
        Assert.Contains("    ring0_addr: 198.18.9.2\n    ring1_addr: 198.18.10.2\n", text, StringComparison.Ordinal);
        Assert.Contains("two_node: 1", text, StringComparison.Ordinal);
    }

    [CorosyncFact]
    public async Task Corosync_itself_accepts_what_is_rendered()
    {
        var directory = Directory.CreateTempSubdirectory("veredus-conf-");
        var (file, key) = (Path.Combine(directory.FullName, "corosync.conf"), Path.Combine(directory.FullName, "authkey"));
        await File.WriteAllBytesAsync(key, CorosyncConfiguration.NewKey());
        foreach (var timing in new[] { BusTiming.Default, BusTiming.Fast, BusTiming.Fast with { Consensus = 400 } })
        {
            var configuration = Configuration([new("mta1", "127.0.0.1,198.18.10.1"), new("mta2", "198.18.9.2,198.18.10.2")]) with
            {
                KeyFile = key, StateDirectory = directory.FullName, AccessGroup = "root", Timing = timing,
            };
            await File.WriteAllTextAsync(file, configuration.Render());
            using var corosync = Process.Start(new ProcessStartInfo("corosync", ["-t", "-f", "-c", file]) { RedirectStandardError = true })!;
            var said = await corosync.StandardError.ReadToEndAsync();
            await corosync.WaitForExitAsync();
            Assert.True(corosync.ExitCode == 0, said);
        }
        directory.Delete(recursive: true);
    }

    [Theory]
    [InlineData("peers: the list is empty; name every node of the cluster")]
    [InlineData("peers: name 'MTA1': 1 to 63 lower case letters, digits, hyphens and dots", "MTA1", "198.18.9.1")]
    [InlineData("peers: mta1: 'host.example' is not an IP address", "mta1", "host.example")]
    [InlineData("peers: mta1: id '0' is not a number from 1", "mta1", "198.18.9.1 0")]
    [InlineData("peers: mta1 = \"\": \"address\", \"address,address\" for two links, or either with an id behind it", "mta1", "")]
    [InlineData("peers: mta1 has 3 addresses; 2 links can be", "mta1", "198.18.9.1,198.18.9.2,198.18.9.3")]
    [InlineData("peers: 'mta1' stands there 2 times", "mta1", "198.18.9.1", "mta1", "198.18.9.2")]
    [InlineData("peers: id 1 belongs to mta1 and mta2; give each its own, as in mta2 = \"198.18.9.2 2\"", "mta1", "198.18.9.1", "mta2", "198.18.9.2 1")]
    [InlineData("peers: address 198.18.9.1 stands there 2 times", "mta1", "198.18.9.1", "mta2", "198.18.9.1")]
    [InlineData("peers: mta2 has 1 address(es) and mta1 2; every node is on the same links", "mta1", "198.18.9.1,198.18.10.1", "mta2", "198.18.9.2")]
    public void A_wrong_list_is_refused_with_what_would_be_right(string expected, params string[] entries)
    {
        Assert.Null(BusPeer.ParseAll(entries.Chunk(2).Select(pair => KeyValuePair.Create(pair[0], pair[1])), out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void A_key_is_long_enough_and_never_the_same()
    {
        Assert.InRange(CorosyncConfiguration.NewKey().Length, 128, 4096);
        Assert.NotEqual(CorosyncConfiguration.NewKey(), CorosyncConfiguration.NewKey());
    }

    private static CorosyncConfiguration Configuration(KeyValuePair<string, string>[] entries) =>
        new("test", BusPeer.ParseAll(entries, out _)!, BusTiming.Default, "/etc/veredus/authkey", "/var/lib/veredus/corosync");
}
