using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using Veredus.Network;
using Veredus.Vipd;

// The node's supervisor starts this with a pipe on standard input and output; nobody starts it by hand.
if (args.Length > 0 || !Console.IsInputRedirected || !Console.IsOutputRedirected)
{
    Console.Error.WriteLine("vipd holds virtual addresses for a Veredus node and is started by it; it takes no arguments.");
    return 2;
}

// A service manager or a terminal signals the whole group. The guard goes when the node goes, not before it has let go of its addresses.
using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, static signal => signal.Cancel = true);
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, static signal => signal.Cancel = true);
using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, static signal => signal.Cancel = true);

StayInMemory();
CompileAhead.InBackground([typeof(GuardLoop).Assembly, typeof(CompileAhead).Assembly]);
try
{
    using var loop = new GuardLoop();
    loop.Run();
    return 0;
}
catch (Exception failure)
{
    // Whatever it was: caught here, so that the loop's way out has taken the addresses off.
    Console.Error.WriteLine(failure is Win32Exception or IOException or InvalidDataException ? failure.Message : failure.ToString());
    return 1;
}

// A guard that waits for the disk can't take addresses off in time. Without CAP_IPC_LOCK a limit would end the process later, so it isn't tried.
static void StayInMemory()
{
    const int current = 1, future = 2, onFault = 4, capIpcLock = 14;
    var effective = File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith("CapEff:", StringComparison.Ordinal));
    if (effective is not null && (ulong.Parse(effective.AsSpan(7).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) >> capIpcLock & 1) != 0
        && LibC.MLockAll(current | future | onFault) != 0)
        Console.Error.WriteLine($"memory is not locked: {Marshal.GetLastPInvokeErrorMessage()}");
}
