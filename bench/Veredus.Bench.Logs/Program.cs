// Journals on their way from a node to a manager, in processes of their own, over mutual TLS on the loopback:
//
//     dotnet run -c Release --project bench/Veredus.Bench.Logs -- kill [KILLS] [SEED]   kills node, manager and reader, then reads by number
//
// bench/logs/run compares the rate with rsyslog's and calls this. Other words are roles of this program itself.
using System.Globalization;
using Veredus.Bench.Logs;

switch (args)
{
    case ["node", var directory, var load]:
        await Roles.NodeAsync(new(directory), int.Parse(load, CultureInfo.InvariantCulture));
        return 0;
    case ["manager", var directory, ..]:
        await Roles.ManagerAsync(new(directory));
        return 0;
    case ["reader", var directory, ..]:
        await Roles.ReaderAsync(new(directory));
        return 0;
    case ["setup", var directory]:
        var stage = new Stage(directory);
        stage.MakeIdentities();
        Veredus.Journal.JournalDirectory.Create(stage.Journal);
        Veredus.Journal.JournalDirectory.AddSubscriber(stage.Journal, "mgr1");
        return 0;
    case ["fill", var directory, var count]:
        Console.In.Read();  // started and warm: the one who measures says when
        Roles.Fill(new(directory), int.Parse(count, CultureInfo.InvariantCulture));
        return 0;
    case ["kill", ..]:
        var kills = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 300;
        var seed = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : Random.Shared.Next();
        var place = Path.Join("/var/tmp", $"veredus-log-kills-{Environment.ProcessId}");
        Console.WriteLine($"seed {seed}, {place}");
        using (var run = new KillRun(place, kills, seed, Console.WriteLine))
        {
            var wrong = await run.RunAsync(CancellationToken.None);
            foreach (var line in wrong.Take(20))
                Console.WriteLine(line);
            Console.WriteLine(wrong.Count == 0 ? "no gap, no repeat" : $"BROKEN: {wrong.Count} findings; the directory is kept");
            if (wrong.Count == 0)
                Directory.Delete(place, recursive: true);
            return wrong.Count == 0 ? 0 : 20;
        }
    default:
        Console.Error.WriteLine("usage: kill [KILLS] [SEED]; for rates: bench/logs/run");
        return 2;
}
