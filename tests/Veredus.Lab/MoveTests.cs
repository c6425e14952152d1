using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Xunit.Abstractions;

namespace Veredus.Lab;

/// <summary>Mail follows its address: real nodes, real corosync, mail sent in on any node.</summary>
public sealed class MoveTests(ITestOutputHelper output)
{
    [LabFact]
    public async Task Mail_leaves_once_from_the_address_of_its_binding_wherever_it_came_in()
    {
        await using var lab = await MoveLab.StartAsync(lab => lab.Further = i => $"custom_logger \"moves\" {{ xfer_logfile = \"{lab.DirectoryOf(i)}/moves.log\" xfer_format = \"%i %r@%R from %b to %H\" }}");
        await SendEverywhereAsync(lab);
        await TellsItsMovesAsync(lab);
        await FindFromAnywhereAsync(lab);
        Check(lab);
    }

    /// <summary>The long form; how many rounds says <c>VEREDUS_ROUNDS</c>.</summary>
    [LabFact(OnlyWhenAsked = true)]
    public async Task Owners_killed_while_mail_is_handed_to_them_lose_nothing_and_double_nothing()
    {
        await using var lab = await MoveLab.StartAsync();
        await KillInTheMiddleAsync(lab, Rounds());
        Check(lab);
    }

    [LabFact(OnlyWhenAsked = true)]
    public async Task Nodes_killed_at_random_under_load_lose_nothing_and_list_every_message_that_came_twice()
    {
        await using var lab = await MoveLab.StartAsync();
        await KillAtRandomAsync(lab, Rounds());
    }

    [LabFact(OnlyWhenAsked = true)]
    public async Task Many_drains_cut_no_transaction_and_leave_nothing_behind()
    {
        await using var lab = await MoveLab.StartAsync();
        await DrainUnderLoadAsync(lab, Rounds());
        Check(lab);
    }

    [LabFact]
    public async Task The_spool_of_a_dead_node_is_taken_over_and_the_node_that_comes_back_starts_with_an_empty_one()
    {
        await using var lab = await MoveLab.StartAsync();
        lab.Sink.IsDeferring = true;
        var dead = await lab.OwnerAsync(1);
        var (living, third) = (dead % MoveLab.Size + 1, (dead + 1) % MoveLab.Size + 1);
        Assert.Equal(30, await lab.Sender.SendAsync(MoveLab.Host(dead), "d1.test", 30));
        var spool = Path.Combine(lab.DirectoryOf(dead), "spool");
        Assert.Contains("is in the cluster", await lab.ToolAsync(living, "console", "spool", "takeover", $"mta{dead}", spool), StringComparison.Ordinal);
        await TwoNodesOneDirectoryAsync(lab, living, third, spool);

        await lab.KillAsync(dead);
        lab.Sink.IsDeferring = false;
        await lab.AskUntilAsync(living, said => !said.Contains($"mta{dead} ", StringComparison.Ordinal), "console", "cluster", "moves");
        // Refused until its record has been silent for 30 s.
        await lab.AskUntilAsync(living, said => said.Contains("started", StringComparison.Ordinal), "console", "spool", "takeover", $"mta{dead}", spool);
        await lab.Sink.UntilAsync(lab.Sender.Accepted, MoveLab.Limit, lab.Story);
        await lab.AskUntilAsync(living, said => said.Contains("done", StringComparison.Ordinal), "console", "spool", "import_poll", spool);

        await lab.StartNodeAsync(dead);
        await lab.SettledAsync();
        Assert.Contains("0 messages left", await lab.ToolAsync(dead, "console", "cluster", "queues", "status"), StringComparison.Ordinal);
        Check(lab);
    }

    [LabFact(OnlyWhenAsked = true)]
    public async Task A_frozen_node_whose_spool_was_taken_meanwhile_stops_before_it_accepts_or_delivers_anything_and_says_so()
    {
        await using var lab = await MoveLab.StartAsync();
        lab.Sink.IsDeferring = true;
        var frozen = await lab.OwnerAsync(1);
        var living = frozen % MoveLab.Size + 1;
        Assert.Equal(20, await lab.Sender.SendAsync(MoveLab.Host(frozen), "d1.test", 20));
        await lab.SignalAsync(frozen, "STOP");
        lab.Sink.IsDeferring = false;
        await lab.AskUntilAsync(living, said => !said.Contains($"mta{frozen} ", StringComparison.Ordinal), "console", "cluster", "moves");
        // Storage that forgets the lock of a host that is silent: the record stays, the lock is free.
        var spool = Path.Combine(lab.DirectoryOf(frozen), "spool");
        File.Copy(Path.Combine(spool, "spool.lock"), Path.Combine(spool, "spool.lock.copy"));
        File.Move(Path.Combine(spool, "spool.lock.copy"), Path.Combine(spool, "spool.lock"), overwrite: true);
        await lab.AskUntilAsync(living, said => said.Contains("started", StringComparison.Ordinal), "console", "spool", "takeover", $"mta{frozen}", spool);
        await lab.Sink.UntilAsync(lab.Sender.Accepted, MoveLab.Limit, lab.Story);

        await lab.SignalAsync(frozen, "CONT");
        Assert.Equal(73, await lab.EndedAsync(frozen));
        Assert.Contains("was taken over by mta", lab.Story(), StringComparison.Ordinal);
        Check(lab);
    }

    /// <summary>After <c>VEREDUS_MINUTES</c> (default 60) no further round begins; what was done counts.</summary>
    private static bool IsOver(long start) =>
        Stopwatch.GetElapsedTime(start).TotalMinutes >= (int.TryParse(Environment.GetEnvironmentVariable("VEREDUS_MINUTES"), out var minutes) ? minutes : 60);

    private static int Rounds() => int.TryParse(Environment.GetEnvironmentVariable("VEREDUS_ROUNDS"), out var rounds) ? rounds : 5;

    private static async Task SendEverywhereAsync(MoveLab lab)
    {
        for (var node = 1; node <= MoveLab.Size; node++)
            for (var binding = 1; binding <= 3; binding++)
                Assert.Equal(10, await lab.Sender.SendAsync(MoveLab.Host(node), $"d{binding}.test", 10));
        await lab.Sink.UntilAsync(lab.Sender.Accepted, MoveLab.Limit, lab.Story);
        Assert.All(lab.Sink.Arrivals, one => Assert.Equal(MoveLab.Vips[(one.Number - 1) / 10 % 3], one.From));
        // What came in elsewhere was handed over: X where it left, R with xfer where it came. Logs are written with a delay.
        await lab.UntilLoggedAsync(line => line.Contains("@X@", StringComparison.Ordinal));
        await lab.UntilLoggedAsync(line => line.Contains("@xfer@", StringComparison.Ordinal));
    }

    /// <summary>A custom_logger has a line of its own for each X of the mainlog, and none besides.</summary>
    private static async Task TellsItsMovesAsync(MoveLab lab)
    {
        static IEnumerable<string> Lines(MoveLab lab, string log) => Enumerable.Range(1, MoveLab.Size).Select(i => Path.Combine(lab.DirectoryOf(i), log)).Where(File.Exists).SelectMany(File.ReadLines);
        var begun = Stopwatch.GetTimestamp();
        string[] told, moved;
        do
        {
            await Task.Delay(100);
            told = [.. Lines(lab, "moves.log").Order(StringComparer.Ordinal)];
            moved = [.. Lines(lab, "mainlog.ec").Where(line => line.Contains("@X@", StringComparison.Ordinal)).Select(line => line.Split('@')[1]).Order(StringComparer.Ordinal)];
        }
        while ((told.Length < 60 || told.Length != moved.Length) && Stopwatch.GetElapsedTime(begun) < MoveLab.Limit);
        Assert.Equal(moved, told.Select(line => line.Split(' ')[0]));
        Assert.All(told, line => Assert.Matches(@" n\d+@d([1-3])\.test from b\1 to 198\.18\.9\.[1-3]$", line));
    }

    /// <summary>A message that waits is found from a node that has nothing to do with it.</summary>
    private static async Task FindFromAnywhereAsync(MoveLab lab)
    {
        lab.Sink.IsDeferring = true;
        var owner = await lab.OwnerAsync(1);
        var (other, third) = (owner % MoveLab.Size + 1, (owner + 1) % MoveLab.Size + 1);
        Assert.Equal(1, await lab.Sender.SendAsync(MoveLab.Host(other), "d1.test", 1));
        var id = (await lab.AskUntilAsync(owner, said => said.Contains('/', StringComparison.Ordinal), "message", "list", "--format", "names")).Trim();
        var where = await lab.AskUntilAsync(third, said => said.Contains($"{id} is on mta", StringComparison.Ordinal), "explain", "message", id);
        Assert.Contains("accepted", where, StringComparison.Ordinal);
        Assert.Contains($"mta{other}", where, StringComparison.Ordinal);
        Assert.Contains("b1/", await lab.ToolAsync(third, "queue", "list"), StringComparison.Ordinal);
        await AttemptsFromTwoNodesAsync(lab, id, owner, third);
        lab.Sink.IsDeferring = false;
        await lab.Sink.UntilAsync(lab.Sender.Accepted, MoveLab.Limit, lab.Story);
    }

    /// <summary>The attempts of a message are told whichever node made them, also after that one was killed and started again.</summary>
    private static async Task AttemptsFromTwoNodesAsync(MoveLab lab, string id, int first, int second)
    {
        await lab.AskUntilAsync(second, said => said.Contains("attempt 2  ", StringComparison.Ordinal), "explain", "message", id);
        await lab.KillAsync(first);
        await lab.StartNodeAsync(first);
        await lab.SettledAsync();
        var vip = MoveLab.Vips[0].ToString();
        for (var owner = await lab.OwnerAsync(1); owner != second; owner = await lab.OwnerAsync(1))
            await lab.ToolAsync(second, "vip", "move", vip, "--to", $"mta{second}", "--yes");
        var said = await lab.AskUntilAsync(first, said => Regex.IsMatch(said, $@"mta{second}  attempt \d+  b1 {vip} -> {MoveLab.ClientAddress} \[{MoveLab.ClientAddress}\]  4\d\d ", RegexOptions.Singleline), "explain", "message", id);
        Assert.Matches($@"mta{first}  attempt 1  b1 {vip} -> {MoveLab.ClientAddress} \[{MoveLab.ClientAddress}\]  4\d\d ", said);
        Assert.True(said.IndexOf($"handed to mta{second}", StringComparison.Ordinal) < said.IndexOf($"mta{second}  attempt", StringComparison.Ordinal), said);
        var numbers = Regex.Matches(said, @"  attempt (\d+)  b1").Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).ToArray();
        Assert.Equal(numbers.Distinct().Order(), numbers);
    }

    /// <summary>Owners die while mail is handed to them; all of it arrives once they are back.</summary>
    private async Task KillInTheMiddleAsync(MoveLab lab, int rounds)
    {
        for (var round = 0; round < rounds; round++)
        {
            var binding = round % 3 + 1;
            var owner = await lab.OwnerAsync(binding);
            var other = owner % MoveLab.Size + 1;
            // Nothing is under delivery when the owner dies: what is doubled would be doubled by a move.
            lab.Sink.IsDeferring = true;
            var before = lab.Sender.Accepted.Count;
            var sending = lab.Sender.SendAsync(MoveLab.Host(other), $"d{binding}.test", 150);
            while (lab.Sender.Accepted.Count < before + 40 && !sending.IsCompleted)
                await Task.Delay(5);
            await lab.KillAsync(owner);
            Assert.Equal(150, await sending);
            await lab.StartNodeAsync(owner);
            lab.Sink.IsDeferring = false;
            await lab.Sink.UntilAsync(lab.Sender.Accepted, MoveLab.Limit, lab.Story);
            await lab.SettledAsync();
        }
        output.WriteLine($"{rounds} kills, {lab.Sender.Accepted.Count} messages accepted");
    }

    /// <summary>Mail comes in on every node and leaves at once while nodes die; what came twice is on the list that the nodes keep of messages in doubt.</summary>
    private async Task KillAtRandomAsync(MoveLab lab, int rounds)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("VEREDUS_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"VEREDUS_SEED={seed}");
        var random = new Random(seed);
        using var enough = new CancellationTokenSource();
        var load = Enumerable.Range(0, 6).Select(i => LoadAsync(lab, i, enough)).ToArray();
        var start = Stopwatch.GetTimestamp();
        var round = 0;
        for (; round < rounds && !IsOver(start); round++)
        {
            var victim = random.Next(1, MoveLab.Size + 1);
            lab.Sink.IsDeferring = random.Next(4) == 0;
            // Into the middle of the traffic: the kill falls after so many more messages.
            await lab.Sink.CountAsync(lab.Sink.Arrivals.Length + (lab.Sink.IsDeferring ? 0 : random.Next(1, 60)), MoveLab.Limit, lab.Story);
            await lab.KillAsync(victim);
            lab.Sink.IsDeferring = false;
            await lab.StartNodeAsync(victim);
            var (again, noted) = (Twice(lab), NotedInDoubt(lab));
            MoveLab.Progress($"{round + 1} kills, {lab.Sender.Accepted.Count} accepted, {lab.Sink.Arrivals.Length} arrived, {again.Length} twice, {noted.Count} in doubt");
            Assert.True(!again.Except(noted).Any(), $"after {round + 1} kills, of mta{victim} last:\n{string.Join('\n', again.Except(noted).Select(number => Life(lab, number)))}");
        }
        await enough.CancelAsync();
        await Task.WhenAll(load);
        await lab.SettledAsync();
        await lab.Sink.UntilAsync(lab.Sender.Accepted, MoveLab.Limit, lab.Story);
        var listed = await InDoubtAsync(lab);
        var twice = Twice(lab);
        output.WriteLine($"{round} kills in {Stopwatch.GetElapsedTime(start).TotalSeconds:F0} s: {lab.Sender.Accepted.Count} accepted, {lab.Sender.Broken.Count} cut off, 0 lost, {twice.Length} came twice, {listed.Count} listed in doubt");
        var unlisted = twice.Except(listed).ToArray();
        Assert.True(unlisted.Length == 0, $"came twice and not listed: {string.Join(", ", unlisted)}\n{lab.Story()}");
    }

    private static int[] Twice(MoveLab lab) => [.. lab.Sink.Arrivals.GroupBy(one => one.Number).Where(group => group.Count() > 1).Select(group => group.Key)];

    /// <summary>The same list, from the files that it is kept in: nodes that are not back in the cluster yet have theirs too.</summary>
    private static HashSet<int> NotedInDoubt(MoveLab lab) => [.. Enumerable.Range(1, MoveLab.Size).Select(i => Path.Combine(lab.DirectoryOf(i), "spool", "deliveries.doubt")).Where(File.Exists)
        .SelectMany(File.ReadLines).Select(line => System.Text.Json.JsonDocument.Parse(line).RootElement.GetProperty("recipient").GetString()!).Select(MailSender.NumberOf)];

    /// <summary>What the logs say of a message.</summary>
    private static string Life(MoveLab lab, int number)
    {
        var id = lab.Sender.Ids.FirstOrDefault(one => one.Value == number).Key ?? "?";
        return $"message {number} {id}:\n" + string.Join('\n', Enumerable.Range(1, MoveLab.Size).SelectMany(i => File.ReadLines(Path.Combine(lab.DirectoryOf(i), "mainlog.ec"))
            .Where(line => line.Contains(id, StringComparison.Ordinal)).Select(line => $"  mta{i} {line}")));
    }

    /// <summary>Numbers of the messages that any node names as in doubt.</summary>
    private static async Task<HashSet<int>> InDoubtAsync(MoveLab lab)
    {
        var (code, said) = await lab.ToolWithCodeAsync(1, "message", "list", "--in-doubt", "--all", "--json");
        Assert.True(code == 0, $"{code}: {said}");
        using var json = System.Text.Json.JsonDocument.Parse(said);
        return [.. json.RootElement.GetProperty("data").GetProperty("items").EnumerateArray().Select(doubt =>
            MailSender.NumberOf(doubt.GetProperty("recipient").GetString()!) is >= 0 and var number ? number : lab.Sender.Ids.GetValueOrDefault(doubt.GetProperty("id").GetString()!, -1))];
    }

    /// <summary>Mail comes in on every address while a node is drained; nobody is cut off in a transaction and nothing is left.</summary>
    private async Task DrainUnderLoadAsync(MoveLab lab, int rounds)
    {
        lab.Sender.Broken.Clear();
        var begun = Stopwatch.GetTimestamp();
        for (var round = 0; round < rounds && !IsOver(begun); round++)
        {
            var drained = round % MoveLab.Size + 1;
            lab.Sink.IsDeferring = true;  // so that queues have something in them
            for (var binding = 1; binding <= 3; binding++)
                await lab.Sender.SendAsync(MoveLab.Host(drained), $"d{binding}.test", 15);
            await lab.Sender.SendAsync(MoveLab.Host(drained), "elsewhere.test", 15);
            using var enough = new CancellationTokenSource();
            var load = Enumerable.Range(0, 3).Select(i => LoadAsync(lab, i, enough)).ToArray();
            var start = Stopwatch.GetTimestamp();
            await lab.AskUntilAsync(drained, said => said.Contains("drain", StringComparison.Ordinal), "console", "cluster", "duravip", "drain");
            await lab.AskUntilAsync(drained, said => said.Contains("handed over", StringComparison.Ordinal), "console", "cluster", "queues", "drain");
            var status = await lab.AskUntilAsync(drained, said => said.Contains(": drained; 0 addresses", StringComparison.Ordinal), "console", "cluster", "queues", "status");
            MoveLab.Progress($"drain {round + 1}: {status.Trim()}");
            output.WriteLine($"drain {round + 1}: {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s; {status.Trim()}");
            lab.Sink.IsDeferring = false;
            await enough.CancelAsync();
            await Task.WhenAll(load);
            Assert.Empty(lab.Sender.Broken);
            await lab.ToolAsync(drained, "console", "cluster", "duravip", "undrain");
            await lab.Sink.UntilAsync(lab.Sender.Accepted, MoveLab.Limit, lab.Story);
            await lab.SettledAsync();
        }
    }

    private static async Task LoadAsync(MoveLab lab, int i, CancellationTokenSource enough)
    {
        for (var n = 0; !enough.IsCancellationRequested; n++)
        {
            // From the third on straight to the nodes: their mail has to be handed over.
            await lab.Sender.SendAsync(i < 3 ? MoveLab.Vips[(i + n) % 3] : MoveLab.Host((i + n) % 3 + 1), $"d{n % 3 + 1}.test", 5);
            await Task.Delay(20);
        }
    }

    /// <summary>A second node that is pointed at a directory in use does not start, and says whose it is.</summary>
    private static async Task TwoNodesOneDirectoryAsync(MoveLab lab, int living, int third, string spool)
    {
        var (own, configuration) = (Path.Combine(lab.DirectoryOf(third), "spool"), Path.Combine(lab.Root, "wrong.conf"));
        await File.WriteAllTextAsync(configuration, (await File.ReadAllTextAsync(Path.Combine(lab.DirectoryOf(third), "veredus.conf"))).Replace(own, spool, StringComparison.Ordinal)
            .Replace("control.sock", "wrong.sock", StringComparison.Ordinal));
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "veredus"), ["node", "run", "-c", configuration]) { RedirectStandardError = true })!;
        var said = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal(73, process.ExitCode);
        Assert.Contains("is in use by mta", said, StringComparison.Ordinal);
        _ = living;
    }

    /// <summary>Everything accepted came, nothing twice, and always from the address of a binding.</summary>
    private void Check(MoveLab lab)
    {
        var arrived = lab.Sink.Arrivals;
        output.WriteLine($"{lab.Sender.Accepted.Count} accepted, {arrived.Length} arrived");
        Assert.Empty(lab.Sender.Accepted.Except(arrived.Select(one => one.Number)));
        var twice = arrived.GroupBy(one => one.Number).Where(group => group.Count() > 1).Select(group => group.Key).ToArray();
        Assert.True(twice.Length == 0, $"delivered twice: {string.Join(", ", twice)}\n{lab.Story()}");
    }
}
