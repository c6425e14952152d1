using Xunit.Abstractions;

namespace Veredus.Lab;

/// <summary>Several ecconfigd on real corosync: replication, a master that dies, splits, and every way out of a CONFLICT.</summary>
public sealed class ConfigServerTests(ITestOutputHelper output)
{
    [LabFact]
    public async Task A_commit_survives_its_master_the_successor_takes_the_next_and_a_minority_takes_none()
    {
        await using var lab = await ConfigLab.StartAsync(3, "auto");
        await lab.EccfgAsync(2, 0, "bootstrap", "--clustername", "default", ConfigLab.AddressOf(1), "--node", "mta2");
        await lab.EccfgAsync(3, 0, "bootstrap", "--clustername", "default", ConfigLab.AddressOf(3), "--node", "mta3");
        lab.Write(2, "default/a.conf", "# 1\n");
        Assert.Contains("Committed revision 2.", await lab.EccfgAsync(2, 0, "commit", "--add-all"), StringComparison.Ordinal);

        foreach (var i in new[] { 2, 3 })
            await lab.SaidAsync($"server{i}", "configd: default is at revision 2");
        var mark = lab.Mark("server2");
        await lab.KillAsync("server1");
        await lab.SaidAsync("server2", "configd: master of default is ", mark);
        lab.Write(2, "default/b.conf", "# 2\n");
        Assert.Contains("Committed revision 3.", await lab.EccfgAsync(2, 0, "commit", "--add-all"), StringComparison.Ordinal);
        await lab.StartServerAsync(1);
        await lab.SaidAsync("server1", "configd: default is at revision 3");

        // The user made on one server signs in on all.
        mark = lab.Mark("server3");
        Assert.Equal(0, (await lab.RunAsync(1, "new word", "configd", "user", "ana", "--writes", "default", "--password-stdin", "--directory", lab.Server(1))).ExitCode);
        await lab.SaidAsync("server3", "configd: took over the other servers' users", mark);

        mark = lab.Mark("server2");
        await lab.CutAsync(3);
        await lab.SaidAsync("server2", "configd: 2 servers: ", mark);
        await lab.SaidAsync("server3", "configd: 1 servers: mgr3");
        lab.Write(3, "default/c.conf", "# 3\n");
        var refused = await lab.EccfgAsync(3, 7, "commit", "--add-all");
        Assert.Contains("a majority is required", refused, StringComparison.Ordinal);
        lab.Write(2, "default/d.conf", "# 4\n");
        await lab.EccfgAsync(2, 0, "commit", "--add-all");
        await lab.HealAsync(3);
        await lab.SaidAsync("server3", "configd: default is at revision 4");
        output.WriteLine(await lab.EccfgAsync(3, 0, "subcluster", "status"));
        Assert.Contains("Committed revision 5.", await lab.EccfgAsync(3, 0, "commit", "--add-all"), StringComparison.Ordinal);
    }

    [LabFact]
    public async Task Commits_on_both_sides_of_a_split_are_a_CONFLICT_that_resolve_merges()
    {
        await using var lab = await SidesAsync();
        await SplitAsync(lab, "left.conf", "# l\n", "right.conf", "# r\n");
        Assert.Contains("default resolved by revision", await lab.EccfgAsync(1, 0, "subcluster", "resolve", "default"), StringComparison.Ordinal);
        await SettledAsync(lab);
        Assert.True(File.Exists(lab.Conf(1, "default/right.conf")) && File.Exists(lab.Conf(2, "default/left.conf")));
    }

    [LabFact(OnlyWhenAsked = true)]
    public async Task The_same_lines_on_both_sides_of_a_split_need_a_choice_and_the_other_side_is_kept_as_a_patch()
    {
        await using var lab = await SidesAsync();
        await SplitAsync(lab, "same.conf", "# left\n", "same.conf", "# right\n");
        Assert.Contains("cannot resolve automatically: default/same.conf", await lab.EccfgAsync(1, 7, "subcluster", "resolve", "default"), StringComparison.Ordinal);
        await lab.EccfgAsync(1, 0, "subcluster", "resolve", "default", "--take", "mgr2");
        await SettledAsync(lab);
        Assert.Equal("# right\n", File.ReadAllText(lab.Conf(1, "default/same.conf")));
        string[] patches = [.. new[] { 1, 2 }.SelectMany(i => Directory.GetFiles(lab.Server(i), "default-*.patch", SearchOption.AllDirectories))];
        Assert.Contains("# left", await File.ReadAllTextAsync(Assert.Single(patches)), StringComparison.Ordinal);
    }

    [LabFact(OnlyWhenAsked = true)]
    public async Task A_CONFLICT_is_ended_by_hand_at_a_chosen_master_and_the_election_goes_on()
    {
        await using var lab = await SidesAsync();
        await SplitAsync(lab, "same.conf", "# left\n", "same.conf", "# right\n");
        await lab.EccfgAsync(2, 0, "subcluster", "override", "default", "mgr2");
        lab.Write(2, "default/same.conf", "# both\n");
        await lab.EccfgAsync(2, 7, "commit");
        Assert.Contains("Committed revision", await lab.EccfgAsync(2, 0, "commit", "--resolve", "-m", "both"), StringComparison.Ordinal);
        await SettledAsync(lab);
        Assert.Equal("# both\n", File.ReadAllText(lab.Conf(1, "default/same.conf")));
        Assert.Contains("mgr2", await lab.EccfgAsync(1, 0, "subcluster", "master", "default"), StringComparison.Ordinal);
        var mark = lab.Mark("server1");
        await lab.EccfgAsync(2, 0, "subcluster", "resume", "default", "mgr1");
        await lab.SaidAsync("server1", "configd: master of default is mgr1", mark);
        Assert.Contains("mgr1", await lab.EccfgAsync(1, 0, "subcluster", "master", "default"), StringComparison.Ordinal);
    }

    [LabFact(OnlyWhenAsked = true)]
    public async Task Nodes_follow_a_commit_and_one_that_can_not_load_it_stops_it_or_stays_behind_and_says_so()
    {
        await using var lab = await ConfigLab.StartAsync(2, "auto");
        await lab.EccfgAsync(1, 0, "bootstrap", "--clustername", "default", ConfigLab.AddressOf(1), "--node", "mta1");
        lab.Write(1, "default/veredus.conf", lab.CommonFile);
        foreach (var node in new[] { "mta1", "mta2" })
            lab.Write(1, $"{node}/node-local.conf", lab.NodeFile(node));
        await lab.EccfgAsync(1, 0, "commit", "--add-all");
        await lab.EccfgAsync(2, 0, "bootstrap", "--clustername", "default", ConfigLab.AddressOf(2), "--node", "mta2");
        foreach (var i in new[] { 1, 2 })
        {
            await lab.StartNodeAsync(i, $"mta{i}");
            await lab.SaidAsync("server1", $"configd: mta{i} follows default");
        }
        lab.Write(1, "default/veredus.conf", lab.CommonFile.Replace("= 10", "= 20", StringComparison.Ordinal));
        Assert.Contains("Nodes follow: 2 of 2", await lab.EccfgAsync(1, 0, "commit", "-m", "more"), StringComparison.Ordinal);
        foreach (var i in new[] { 1, 2 })
            Assert.Contains("20", (await lab.RunAsync(i, null, "--socket", lab.Socket($"mta{i}"), "config", "get", "max_outbound_connections")).Text, StringComparison.Ordinal);

        // An address that host 2 does not have: its files are right, and it can't load them.
        lab.Write(1, "default/veredus.conf", lab.CommonFile.Replace("= 10", "= 30", StringComparison.Ordinal) + $"esmtp_listener {{ listen \"{ConfigLab.AddressOf(1)}:2525\" {{ }} }}\n");
        var plan = await lab.RunAsync(1, null, "config", "plan");
        output.WriteLine(plan.Text);
        Assert.Contains("mta1 ok   mta2 can't load it", plan.Text, StringComparison.Ordinal);
        Assert.Contains("20 -> 30", plan.Text, StringComparison.Ordinal);
        Assert.Contains("--without mta2", await lab.EccfgAsync(1, 1, "commit"), StringComparison.Ordinal);
        Assert.Contains("Nodes follow: 1 of 2", await lab.EccfgAsync(1, 0, "commit", "--without", "mta2"), StringComparison.Ordinal);
        var status = await lab.RunAsync(2, null, "--socket", lab.Socket("mta2"), "status", "--check");
        output.WriteLine(status.Text);
        Assert.Equal(11, status.ExitCode);
        Assert.Contains("CONFIG_NOT_LOADED", status.Text, StringComparison.Ordinal);
        Assert.Contains("20", (await lab.RunAsync(2, null, "--socket", lab.Socket("mta2"), "config", "get", "max_outbound_connections")).Text, StringComparison.Ordinal);
        Assert.False(File.ReadAllText(lab.Conf(2, "default/veredus.conf")).Contains("2525", StringComparison.Ordinal));
        Assert.Contains("Nodes follow: 2 of 2", await lab.EccfgAsync(1, 0, "undo"), StringComparison.Ordinal);
        output.WriteLine((await lab.RunAsync(1, null, "config", "status")).Text);
    }

    [LabFact(OnlyWhenAsked = true)]
    public async Task Kills_at_random_moments_leave_whole_working_copies_sound_repositories_and_every_confirmed_commit()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "bench", "config", "run")))
            root = root.Parent ?? throw new Xunit.Sdk.XunitException("bench/config/run is not above the test");
        var kills = Environment.GetEnvironmentVariable("VEREDUS_LAB") == "1" ? 300 : 12;
        using var run = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(Path.Combine(root.FullName, "bench", "config", "run"),
            ["kill", "--kills", $"{kills}", "--program", Path.Combine(AppContext.BaseDirectory, "veredus")]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = run.StandardError.ReadToEndAsync();
        var said = await run.StandardOutput.ReadToEndAsync() + await errors;
        await run.WaitForExitAsync();
        output.WriteLine(said);
        Assert.True(run.ExitCode == 0, said);
    }

    /// <summary>Two servers, and on each one's host a working copy that knows its own server alone.</summary>
    private static async Task<ConfigLab> SidesAsync()
    {
        var lab = await ConfigLab.StartAsync(2, "false");
        try
        {
            await BothAsync(async i =>
            {
                await lab.EccfgAsync(i, 0, "bootstrap", "--clustername", "default", ConfigLab.AddressOf(i), "--node", $"mta{i}");
                var boot = Path.Combine(lab.Etc(i), "cluster.boot");
                await File.WriteAllTextAsync(boot, (await File.ReadAllTextAsync(boot)).Replace("repo=auto", $"repo={ConfigLab.AddressOf(i)}", StringComparison.Ordinal));
            });
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    private static Task BothAsync(Func<int, Task> work) => Task.WhenAll(work(1), work(2));

    /// <summary>Cuts the servers apart, commits on both sides, and joins them again.</summary>
    private static async Task SplitAsync(ConfigLab lab, string left, string leftText, string right, string rightText)
    {
        var marks = new[] { lab.Mark("server1"), lab.Mark("server2") };
        await lab.CutAsync(2);
        foreach (var i in new[] { 1, 2 })
            await lab.SaidAsync($"server{i}", $"configd: 1 servers: mgr{i}", marks[i - 1]);
        lab.Write(1, $"default/{left}", leftText);
        lab.Write(2, $"default/{right}", rightText);
        await BothAsync(i => lab.EccfgAsync(i, 0, "commit", "--add-all", "-m", i == 1 ? "left" : "right"));
        await lab.HealAsync(2);
        await BothAsync(i => lab.SaidAsync($"server{i}", "configd: default is in CONFLICT", marks[i - 1]));
        await BothAsync(async i =>
        {
            await lab.SaidAsync($"server{i}", "configd: default: kept the side of", marks[i - 1]);
            Assert.Contains("!default", await lab.EccfgAsync(i, 0, "subcluster", "clusters"), StringComparison.Ordinal);
            await lab.EccfgAsync(i, 7, "pull");
        });
    }

    /// <summary>The CONFLICT is over on both; both histories are in both repositories, and both repositories are sound.</summary>
    private static async Task SettledAsync(ConfigLab lab)
    {
        await BothAsync(async i =>
        {
            await lab.SaidAsync($"server{i}", "configd: default is no longer in CONFLICT", lab.LastOf($"server{i}", "configd: default is in CONFLICT"));
            await lab.EccfgAsync(i, 0, "pull", "--theirs");
        });
        var status = await lab.EccfgAsync(1, 0, "subcluster", "status", "default");
        Assert.DoesNotContain("CONFLICT", status, StringComparison.Ordinal);
        foreach (var i in new[] { 1, 2 })
        {
            using var fsck = System.Diagnostics.Process.Start("git", ["--git-dir", lab.RepositoryOf(i, "default"), "fsck", "--strict", "--no-progress"]);
            await fsck.WaitForExitAsync();
            Assert.Equal(0, fsck.ExitCode);
            var subjects = await GitAsync(lab.RepositoryOf(i, "default"), "log", "--all", "--format=%s");
            Assert.Contains("left\n", subjects, StringComparison.Ordinal);
            Assert.Contains("right\n", subjects, StringComparison.Ordinal);
        }
    }

    private static async Task<string> GitAsync(string repository, params string[] words)
    {
        using var git = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("git", ["--git-dir", repository, .. words]) { RedirectStandardOutput = true })!;
        var text = await git.StandardOutput.ReadToEndAsync();
        await git.WaitForExitAsync();
        return text;
    }
}
