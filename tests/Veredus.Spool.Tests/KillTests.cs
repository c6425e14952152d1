using System.Buffers;
using System.Diagnostics;

namespace Veredus.Spool.Tests;

public sealed class KillTests : IDisposable
{
    private const int Kills = 4, Callers = 20;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_process_that_is_killed_under_load_loses_nothing_that_it_promised()
    {
        var (promised, given, removed) = (new HashSet<MessageId>(), new HashSet<MessageId>(), new HashSet<MessageId>());
        var random = new Random(Seed.Next());
        for (var kill = 0; kill < Kills; kill++)
        {
            using var child = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [typeof(KillTests).Assembly.Location, "--spool-child", _directory.Path]) { RedirectStandardOutput = true })!;
            for (var lines = random.Next(50, 2000); lines > 0 && await child.StandardOutput.ReadLineAsync() is { } line; lines--)
                Note(line);
            child.Kill();
            while (await child.StandardOutput.ReadLineAsync() is { } line)
                Note(line);
            await child.WaitForExitAsync();
            await using var spool = await SpoolStore.OpenAsync(ChildOptions(_directory.Path), TimeProvider.System);
            var found = (await SpoolStoreTests.RecoverAsync(spool)).ToDictionary(message => message.Message.Id, message => message.Message);
            Assert.Empty(promised.Except(given).Except(found.Keys));
            Assert.Empty(removed.Intersect(found.Keys));
            foreach (var message in found.Values)
                Assert.All(SpoolStoreTests.ReadBody(spool, message), octet => Assert.Equal((byte)message.Id.Counter, octet));
            Assert.Equal(0, spool.Statistics.Corruptions);
        }
        Assert.NotEmpty(promised);

        void Note(string line)
        {
            // A line may be cut by the kill: then its message was promised to nobody.
            if (line.Length == 1 + MessageId.TextLength && MessageId.TryParse(line.AsSpan(1), out var id))
                (line[0] == '+' ? promised : line[0] == '~' ? given : removed).Add(id);
        }
    }

    private static SpoolOptions ChildOptions(string directory) => new() { Base = directory, NodeName = "mx1", SegmentBytes = 256 << 10 };

    /// <summary>The process that is killed: commits and removes, and says each when it is durable; <c>~</c> says that a removal begins.</summary>
    internal static async Task RunChildAsync(string directory)
    {
        var spool = await SpoolStore.OpenAsync(ChildOptions(directory), TimeProvider.System);
        await SpoolStoreTests.RecoverAsync(spool);
        var ids = new MessageIdGenerator(7, TimeProvider.System, spool.LastSlot);
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            var random = new Random(caller);
            while (true)
            {
                using var body = spool.CreateBody();
                var id = ids.Next();
                body.Write(Enumerable.Repeat((byte)id.Counter, random.Next(5000)).ToArray());
                var result = await spool.CommitAsync(body, [Envelopes.Simple(id)]);
                Console.WriteLine($"+{id}");
                if (random.Next(4) == 0)
                    continue;
                Console.WriteLine($"~{id}");
                await spool.RemoveAsync(result.Messages[0]);
                await spool.FlushAsync();
                Console.WriteLine($"-{id}");
            }
        })));
    }
}

/// <summary>Lets the test assembly be started as the process that <see cref="KillTests"/> kills.</summary>
internal static class ChildProgram
{
    public static Task Main(string[] arguments) =>
        arguments is ["--spool-child", var directory] ? KillTests.RunChildAsync(directory) : Task.CompletedTask;
}
