using Veredus.Setup;

namespace Veredus.Cli.Tests;

/// <summary><c>veredus setup</c>, as far as one host goes; <c>tests/Veredus.Lab</c> has the whole story.</summary>
public sealed class SetupTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-setup-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private string In(string name) => Path.Combine(_directory, name);

    [Theory]
    [InlineData(0, "Reloading corosync.conf...\nDone", "the bus has read its files again")]
    [InlineData(127, "corosync-cfgtool: No such file", "does not run here (corosync-cfgtool: No such file)")]
    [InlineData(1, "Could not initialize corosync configuration API error CS_ERR_LIBRARY", "does not run here (Could not")]
    [InlineData(1, "Reloading corosync.conf...\nCould not reload configuration. Error CS_ERR_INVALID_PARAM\n",
        "may not have read its files again: corosync-cfgtool -R ended with 1 and said: Reloading corosync.conf... Could not reload configuration. Error CS_ERR_INVALID_PARAM")]
    public void What_the_bus_said_to_its_new_files_is_told(int exitCode, string said, string told) =>
        Assert.Contains(told, BusPlan.AfterReload(exitCode, said, NodeSetup.FilesOf(_directory)));

    [Fact]
    public void Files_are_written_all_or_none_and_what_was_there_comes_back()
    {
        File.WriteAllText(In("old"), "before");
        File.SetUnixFileMode(In("old"), UnixFileMode.UserRead);
        File.WriteAllText(In("wall"), "a file, so nothing can be below it");
        var changes = new FileChanges();
        changes.Add(In("old"), "after", FileChanges.Open, "");
        changes.Add(In("new/deep/file"), "x", FileChanges.Secret, "");
        changes.Add(In("wall/file"), "x", FileChanges.Open, "");

        Assert.Throws<IOException>(() => changes.Apply(CancellationToken.None));

        Assert.Equal("before", File.ReadAllText(In("old")));
        Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(In("old")));
        Assert.Equal(["old", "wall"], Directory.GetFileSystemEntries(_directory).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void An_interruption_leaves_nothing_behind()
    {
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        var changes = new FileChanges();
        changes.Add(In("a/b"), "x", FileChanges.Open, "");
        Assert.ThrowsAny<OperationCanceledException>(() => changes.Apply(stop.Token));
        Assert.Empty(Directory.GetFileSystemEntries(_directory));
    }

    [Fact]
    public void A_secret_is_readable_for_its_owner_only_and_the_plan_says_so()
    {
        var changes = new FileChanges();
        changes.Add(In("key"), "x", FileChanges.Secret, "the key");
        Assert.Equal([$"write   {In("key")}  400  the key"], changes.Describe());
        changes.Apply(CancellationToken.None);
        Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(In("key")));
        var again = new FileChanges();
        again.Add(In("key"), "x", FileChanges.Secret, "the key");
        Assert.Equal(0, again.Count);
    }

    [Theory]
    [InlineData("colour = blue", "'colour' is no question")]
    [InlineData("name", "'name' is no question")]
    [InlineData("name = MTA1", "name 'MTA1': 1 to 63 lower case letters")]
    [InlineData("name = mta1\naddress = 127.0.0.1", "is not an address that other hosts reach this one by")]
    [InlineData("join = vj1-AAAA", "damaged or incomplete")]
    public async Task A_wrong_answer_is_named_and_nothing_is_written(string answers, string expected)
    {
        await using var node = new FakeNodeProcess();
        await File.WriteAllTextAsync(In("answers"), answers + "\n");
        var outcome = await node.RunAsync("setup", "node", "--answers", In("answers"), "--directory", In("etc"), "--yes");
        Assert.Equal(2, outcome.ExitCode);
        Assert.Contains(expected, outcome.Error);
        Assert.False(Directory.Exists(In("etc")));
    }

    [Fact]
    public async Task Setup_does_not_touch_a_host_that_is_a_member_or_files_that_are_not_its_own()
    {
        await using var node = new FakeNodeProcess();
        Directory.CreateDirectory(In("etc/cluster"));
        await File.WriteAllTextAsync(In("etc/msgc_server.conf"), "msgc_server { }\n");
        var foreign = await node.RunAsync("setup", "node", "--directory", In("etc"), "--yes");
        Assert.Equal(7, foreign.ExitCode);
        Assert.Contains("msgc_server.conf was not made by setup", foreign.Error);
        await File.WriteAllTextAsync(In("etc/cluster/member.pem"), "");
        var member = await node.RunAsync("node", "join", "vj1-AAAA", "--directory", In("etc"), "--yes");
        Assert.Equal(7, member.ExitCode);
        Assert.Contains("member of a cluster already", member.Error);
    }

    [Fact]
    public async Task A_manager_is_set_up_where_the_cluster_was_founded_with_a_certificate_of_its_own()
    {
        await using var node = new FakeNodeProcess();
        var alone = await node.RunAsync("setup", "manager", "--directory", In("etc"), "--yes");
        Assert.Equal(3, alone.ExitCode);
        Assert.Contains("veredus setup manager --join TOKEN", alone.Error);
        Assert.False(Directory.Exists(In("etc")));

        Assert.Equal(0, (await node.RunAsync("setup", "node", "--directory", In("etc"), "--name", "mta1", "--topology", "none", "--yes")).ExitCode);
        var taken = await node.RunAsync("setup", "manager", "--directory", In("etc"), "--name", "mta1", "--yes");
        Assert.Equal(2, taken.ExitCode);
        Assert.Contains("a node has the name mta1", taken.Error);
        Assert.Equal(2, (await node.RunAsync("setup", "manager", "--directory", In("etc"), "--gather", "here/%Y", "--yes")).ExitCode);
        Assert.Equal(0, (await node.RunAsync("setup", "manager", "--directory", In("etc"), "--dry-run")).ExitCode);
        Assert.False(File.Exists(In("etc/eccluster.conf")));

        var done = await node.RunAsync("setup", "manager", "--directory", In("etc"), "--name", "mgr1", "--yes");
        Assert.Equal((0, "manager mgr1 is set up\n"), (done.ExitCode, done.Out));
        using (var identity = new Cluster.ClusterFiles(In("etc/manager")).ReadIdentity())
            Assert.Equal("mgr1", identity!.NodeName);
        using (var identity = new Cluster.ClusterFiles(In("etc/cluster")).ReadIdentity())
            Assert.Equal("mta1", identity!.NodeName);
        Assert.Equal(0, (await node.RunAsync("config", "validate", "--local", "-c", In("etc/eccluster.conf"))).ExitCode);
        var again = await node.RunAsync("setup", "manager", "--directory", In("etc"), "--yes");
        Assert.Equal(7, again.ExitCode);
        Assert.Contains("set up here already", again.Error);
    }

    [Fact]
    public async Task A_manager_does_not_touch_a_configuration_that_is_not_its_own()
    {
        await using var node = new FakeNodeProcess();
        Directory.CreateDirectory(In("etc"));
        await File.WriteAllTextAsync(In("etc/eccluster.conf"), "# mine\n");
        var foreign = await node.RunAsync("setup", "manager", "--directory", In("etc"), "--join", "vj1-AAAA", "--yes");
        Assert.Equal(7, foreign.ExitCode);
        Assert.Contains("was not made by setup", foreign.Error);
        File.Delete(In("etc/eccluster.conf"));
        Assert.Equal(2, (await node.RunAsync("setup", "manager", "--directory", In("etc"), "--join", "vj1-AAAA", "--yes")).ExitCode);
        Assert.Empty(Directory.GetFileSystemEntries(In("etc")));
    }

    [Fact]
    public async Task A_token_is_made_only_where_the_cluster_was_set_up()
    {
        await using var node = new FakeNodeProcess();
        await File.WriteAllTextAsync(In("veredus.conf"), $$"""
            msgc_server { peers = [ mta1 = "192.0.2.1" ] }
            cluster { nodeaddr = "192.0.2.1" cluster_directory = "{{_directory}}" }

            """);
        var outcome = await node.RunAsync("node", "token", "create", "-c", In("veredus.conf"));
        Assert.Equal(3, outcome.ExitCode);
        Assert.Contains("tokens are made where the cluster was set up", outcome.Error);
        Assert.Equal(2, (await node.RunAsync("node", "token", "create", "-c", In("veredus.conf"), "--for", "2d")).ExitCode);
        Assert.Equal(2, (await node.RunAsync("node", "token", "create", "-c", In("veredus.conf"), "--for", "soon")).ExitCode);
        Assert.Equal(3, (await node.RunAsync("node", "leave", "--directory", _directory, "--yes")).ExitCode);
    }

    [Fact]
    public async Task An_id_is_never_given_twice()
    {
        await using var node = new FakeNodeProcess();
        Directory.CreateDirectory(In("cluster"));
        await File.WriteAllTextAsync(In("msgc_server.conf"), ClusterText.Peers(BusPlan.Parse([new("mta1", "192.0.2.1"), new("mta2", "192.0.2.2")]), 4809, "default", 2));
        await File.WriteAllTextAsync(In("veredus.conf"), $$"""
            include "msgc_server.conf"
            cluster { cluster_directory = "{{In("cluster")}}" }

            """);
        Assert.Equal(0, (await node.RunAsync("cluster", "remove", "mta2", "-c", In("veredus.conf"))).ExitCode);
        Assert.Equal(0, (await node.RunAsync("cluster", "add", "mta3", "192.0.2.3", "-c", In("veredus.conf"))).ExitCode);
        Assert.Contains("nodeid: 3\n    name: mta3\n", await File.ReadAllTextAsync(In("cluster/corosync.conf")));
        Assert.Equal(7, (await node.RunAsync("cluster", "add", "mta3", "192.0.2.4", "-c", In("veredus.conf"))).ExitCode);
        Assert.Equal(3, (await node.RunAsync("cluster", "remove", "mta2", "-c", In("veredus.conf"))).ExitCode);
    }
}
