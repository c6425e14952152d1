using Veredus.Duravip;

namespace Veredus.Simulation;

/// <summary>One simulated cluster: virtual time, hosts, bus, faults, observer. Everything follows from the schedule.</summary>
public sealed class World
{
    /// <summary>Token + consensus of the simulated bus.</summary>
    public const long DetectMs = 2_200;
    private const long QuietMs = 36_000;
    /// <summary>After the repair, a cluster may be in order at the earliest; looked at so often from then on.</summary>
    private const long EarliestQuietMs = 12_000, LookMs = 2_000;
    /// <summary>So many schedules run to the very end although the cluster was in order before: it must stay so.</summary>
    private const int RunToTheEnd = 8;

    private readonly PriorityQueue<Action, (long, long)> _events = new();
    private readonly Schedule _schedule;
    private readonly List<string>? _trace;
    private long _sequence;

    internal World(Schedule schedule, Weaknesses weaknesses = Weaknesses.None, List<string>? trace = null)
    {
        (_schedule, _trace, Weaknesses) = (schedule, trace, weaknesses);
        Random = new(schedule.Seed ^ 0x5DEECE6);
        Setting = new(schedule);
        Bus = new(this, schedule.Hosts);
        Hosts = [.. Enumerable.Range(0, schedule.Hosts).Select(number => new SimulatedHost(this, number))];
        Observer = new(this);
    }

    public long Now { get; private set; }
    public Random Random { get; }
    public Setting Setting { get; }
    public SimulatedBus Bus { get; }
    public SimulatedHost[] Hosts { get; }
    public Observer Observer { get; }
    /// <summary>Events applied to machines: the steps after which invariants were checked.</summary>
    public long Steps { get; set; }
    internal Weaknesses Weaknesses { get; }

    public void At(long at, Action action) => _events.Enqueue(action, (Math.Max(at, Now), ++_sequence));
    public void After(long delay, Action action) => At(Now + delay, action);
    public void Wake(int host) => Hosts[host].Dispatch();
    public void Enqueue(int host, DuravipEvent happened, DuravipMessage? message) => Hosts[host].Enqueue(happened, message);

    public void Trace(int host, string text) => _trace?.Add($"{Now,6} {(host < 0 ? "" : Hosts[host].Name)} {text}");
    public bool IsTracing => _trace is not null;

    /// <summary>Runs the schedule to its end and checks that the cluster is in order then.</summary>
    /// <exception cref="InvariantException">An invariant did not hold.</exception>
    public void Run()
    {
        foreach (var host in Hosts)
            After(Random.Next(1, 1_500), host.Boot);
        foreach (var step in _schedule.Steps)
            At(step.AtMs, () => Do(step));
        var repaired = Schedule.FaultsFromMs + Schedule.FaultsForMs + 1_000;
        At(repaired, Repair);
        var end = repaired + QuietMs;
        var look = _schedule.Seed % RunToTheEnd == 0 ? end : repaired + EarliestQuietMs;
        while (_events.TryPeek(out _, out var when) && when.Item1 <= end)
        {
            if (when.Item1 > look)
            {
                (Now, look) = (look, look + LookMs);
                if (Observer.IsQuiet())
                    return;
            }
            var action = _events.Dequeue();
            Now = when.Item1;
            action();
        }
        Now = end;
        Observer.CheckQuiet();
    }

    private void Do(FaultStep step)
    {
        Trace(step.Host, $"FAULT {step.Kind} for {step.DurationMs} arg {step.Argument}");
        var host = Hosts[step.Host];
        switch (step.Kind)
        {
            case Fault.CrashHost:
                host.Crash();
                After(step.DurationMs, host.Boot);
                break;
            case Fault.KillProcess:
                host.Kill();
                After(Math.Min(step.DurationMs, 4_000), host.Restart);
                break;
            case Fault.HangProcess:
                host.Hang(step.DurationMs);
                break;
            case Fault.FreezeHost:
                host.Freeze(step.DurationMs);
                break;
            case Fault.KillBus:
                host.LoseBus(step.DurationMs);
                break;
            case Fault.Partition:
                Bus.Split(number => step.Argument >> number & 1);
                After(step.DurationMs, () => Bus.Split(_ => 0));
                break;
            case Fault.Heal:
                Bus.Split(_ => 0);
                break;
            case Fault.Slow:
                host.Slow(step.DurationMs, 20 + step.Argument % 900);
                break;
            case Fault.Stop:
                host.Tell(new StopRequestedEvent());
                After(step.DurationMs + 3_000, host.Restart);
                break;
            default:
                DoSmall(step, host);
                break;
        }
    }

    private void DoSmall(FaultStep step, SimulatedHost host)
    {
        var address = Setting.Addresses[step.Argument % Setting.Addresses.Length];
        var other = Hosts[(step.Argument >> 4) % Hosts.Length].Name;
        switch (step.Kind)
        {
            case Fault.PlumbFailure:
                host.RefusePlumbing(step.Argument % 3 == 0 ? null : address, step.DurationMs);
                break;
            case Fault.ListenerFails:
                host.Tell(new ServiceFailedEvent(address, "address in use"));
                break;
            case Fault.Reconfigure:
                host.Reconfigure(step.Argument % Setting.Variants);
                After(step.DurationMs, () => host.Reconfigure(0));
                break;
            case Fault.Move:
                host.Tell(new MoveCommand(address.ToString(), other));
                break;
            case Fault.Evacuate:
                host.Tell(new EvacuateCommand(host.Name, other));
                break;
            case Fault.Unpin:
                host.Tell(new UnpinCommand(null));
                break;
            case Fault.Drain or Fault.Undrain:
                host.Tell(new DrainCommand(step.Kind == Fault.Drain));
                break;
            case Fault.Reset:
                host.Tell(new ResetCommand());
                break;
            case Fault.Announce:
                host.Tell(new AnnounceCommand());
                break;
            case Fault.CarrierLoss:
                host.LoseCarrier(step.DurationMs);
                break;
            case Fault.AddressVanishes:
                host.RemoveBehindBack(address);
                break;
            case Fault.ForeignAddress:
                host.AddBehindBack(address);
                break;
        }
    }

    /// <summary>Everything works again: what the protocol cannot restore now, it never will.</summary>
    private void Repair()
    {
        Trace(-1, "REPAIR");
        Bus.Split(_ => 0);
        foreach (var host in Hosts)
            host.Repair();
    }
}
