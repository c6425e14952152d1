using System.Buffers.Binary;
using Xunit.Abstractions;

namespace Veredus.Spool.Tests;

public sealed class DamageTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Whatever_is_done_to_the_files_what_comes_back_is_what_was_accepted()
    {
        var seed = Seed.Next();
        output.WriteLine($"VEREDUS_SEED={seed}");
        var random = new Random(seed);
        for (var run = 0; run < 40; run++)
        {
            var (disk, bodies) = await FilledAsync(random);
            foreach (var name in disk.Names.Where(name => name.EndsWith(".idx", StringComparison.Ordinal)).ToArray())
            {
                if (random.Next(2) == 0)
                    disk.Delete(name);
            }
            var files = disk.Names.Where(name => name.Contains("/segments/", StringComparison.Ordinal)).ToArray();
            for (var damage = random.Next(1, 30); damage > 0; damage--)
            {
                var file = disk[files[random.Next(files.Length)]];
                if (file.Octets.Length == 0)
                    continue;
                var octets = new byte[random.Next(1, 64)];
                random.NextBytes(octets);
                var at = random.Next(2) == 0 ? random.Next(file.Octets.Length) : random.Next(Math.Min(file.Octets.Length, 20_000));
                file.Write(at, octets.AsSpan(0, Math.Min(octets.Length, file.Octets.Length - at)));
            }
            var bad = random.Next(4) == 0 ? random.Next(0, 40_000) & -512 : -1;
            disk.BadSector = (_, at) => at == bad;
            try
            {
                await using var spool = await SpoolStore.OpenAsync(Options(), disk, TimeProvider.System);
                foreach (var (message, envelope) in await SpoolStoreTests.RecoverAsync(spool))
                {
                    Assert.Equal(message.Id, envelope.Id);
                    try
                    {
                        Assert.Equal(bodies[message.Id], SpoolStoreTests.ReadBody(spool, message));
                    }
                    catch (Exception e) when (e is SpoolCorruptException or DiskException)
                    {
                        // Said, not delivered.
                    }
                }
            }
            catch (SpoolOpenException)
            {
            }
        }
    }

    [Fact]
    public async Task A_damaged_record_is_set_aside_and_counted_and_the_others_come_back()
    {
        var (disk, bodies) = await FilledAsync(new Random(1));
        foreach (var name in disk.Names.Where(name => name.EndsWith(".idx", StringComparison.Ordinal)).ToArray())
            disk.Delete(name);
        var victim = disk.Names.Where(name => name.EndsWith(".seg", StringComparison.Ordinal)).Order().First(name => disk[name].Octets[SegmentHeader.FirstRecord] != 0);
        disk[victim].Write(SegmentHeader.FirstRecord + 5, [0xFF, 0xFF, 0xFF]);
        await using var spool = await SpoolStore.OpenAsync(Options(), disk, TimeProvider.System);
        Assert.Equal(bodies.Count - 1, (await SpoolStoreTests.RecoverAsync(spool)).Count);
        Assert.True(spool.Statistics.Corruptions > 0);
        Assert.Contains(disk.Names, name => name.StartsWith("/spool/corrupt/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_spool_of_a_newer_version_is_refused()
    {
        var (disk, _) = await FilledAsync(new Random(1));
        disk["/spool/spool.format"].Write(0, "veredus-spool 9"u8);
        var error = await Assert.ThrowsAsync<SpoolFormatException>(() => SpoolStore.OpenAsync(Options(), disk, TimeProvider.System).AsTask());
        Assert.Contains("has format 9", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_segment_of_a_newer_version_is_refused_and_nothing_is_written()
    {
        var (disk, _) = await FilledAsync(new Random(1));
        var path = disk.Names.Where(name => name.EndsWith(".seg", StringComparison.Ordinal)).Order().Last();
        var header = disk[path].Octets.ToArray()[..SegmentHeader.Size];
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), 9);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), Crc32C.Compute(header.AsSpan(8)));
        disk[path].Write(0, header);
        disk.Delete("/spool/spool.lock");
        var before = disk.Names.Select(name => (name, Convert.ToHexString(disk[name].Octets))).ToArray();

        var error = await Assert.ThrowsAsync<SpoolFormatException>(() => SpoolStore.OpenAsync(Options(), disk, TimeProvider.System).AsTask());

        Assert.Contains($"'{path}' has segment format 9", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, disk.Names.Select(name => (name, Convert.ToHexString(disk[name].Octets))));
    }

    [Fact]
    public async Task A_directory_with_other_things_in_it_is_refused()
    {
        var disk = new SimulatedDisk(new Random(1));
        disk.Create("/spool/mail.db").Dispose();
        var error = await Assert.ThrowsAsync<SpoolFormatException>(() => SpoolStore.OpenAsync(Options(), disk, TimeProvider.System).AsTask());
        Assert.Contains("'mail.db'", error.Message, StringComparison.Ordinal);
        Assert.Equal(["/spool/mail.db"], disk.Names);
    }

    private static SpoolOptions Options() => new() { Base = "/spool", NodeName = "mx1", SegmentBytes = 64 << 10 };

    private static async Task<(SimulatedDisk Disk, Dictionary<MessageId, byte[]> Bodies)> FilledAsync(Random random)
    {
        var disk = new SimulatedDisk(random);
        var bodies = new Dictionary<MessageId, byte[]>();
        var ids = new MessageIdGenerator(7, TimeProvider.System, 0);
        await using var spool = await SpoolStore.OpenAsync(Options(), disk, TimeProvider.System);
        for (var i = 0; i < 60; i++)
        {
            var octets = new byte[random.Next(4000)];
            random.NextBytes(octets);
            using var body = spool.CreateBody();
            System.Buffers.BuffersExtensions.Write(body, octets);
            var id = ids.Next();
            Assert.Equal(CommitStatus.Durable, (await spool.CommitAsync(body, [Envelopes.Simple(id)])).Status);
            bodies[id] = octets;
        }
        return (disk, bodies);
    }
}
